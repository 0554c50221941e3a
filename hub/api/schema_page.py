"""The OpenAPI document as one HTML page: no script, and nothing that comes from elsewhere."""

from collections.abc import Iterator
from functools import cached_property
from html import escape

import msgspec

from hub.api.contract import Json
from hub.api.schema_text import curl, example, line, prose, type_of

OPEN_AT_MOST = 8
"""A search that finds no more calls than this shows them at length."""

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{prefix}/schema/style.css">
</head>
<body>
<a class="skip" href="#calls">Skip to the calls</a>
<header>
<h1><a href="{prefix}/schema">{title}: API</a></h1>
<form role="search" action="{prefix}/schema">
<label for="q">Search the calls</label>
<input id="q" name="q" type="search" maxlength="200" value="{searched}">
<button>Search</button>
<p role="status">{found}</p>
</form>
<nav aria-label="Contents"><ul>{contents}<li><a href="#failures">failures</a></li>
<li><a href="#types">types</a></li></ul></nav>
{about}
<p>For programs there is <a href="{prefix}/schema/openapi.json">the OpenAPI document</a>, and for
what is told live <a href="{prefix}/schema/asyncapi.json">the AsyncAPI document</a>. The calls of
curl below want <code>HUB</code>, the address of this hub, and <code>TOKEN</code> in the
environment.</p>
</header>
<main id="calls">
{sections}
<section id="failures"><h2>Failures</h2>{errors}</section>
<section id="types"><h2>Types</h2>{types}</section>
</main>
</body>
</html>
"""


class Entry(msgspec.Struct, frozen=True):
    """A call on the page: what a search looks at, and its HTML in short and at length."""

    tag: str
    searched: str
    short: str
    long: str


class SchemaPage:
    """The page of one document. All but the choice of what a search finds is made once.

    Args:
        document: What it shows.
        prefix: The path below which browsers reach the hub.
    """

    def __init__(self, document: Json, prefix: str = "") -> None:
        self._document = document
        self._prefix = escape(prefix)

    @cached_property
    def _entries(self) -> list[Entry]:
        return [
            self._entry(path, method, operation)
            for path, item in self._document["paths"].items()
            for method, operation in item.items()
        ]

    @cached_property
    def _types(self) -> str:
        schemas: dict[str, Json] = self._document["components"]["schemas"]
        return "".join(_type(name, schema) for name, schema in sorted(schemas.items()))

    @cached_property
    def _errors(self) -> str:
        responses: dict[str, Json] = self._document["components"]["responses"]
        return "".join(_error(name, response) for name, response in responses.items())

    @cached_property
    def _about(self) -> str:
        return prose(self._document["info"]["description"])

    def html(self, searched: str = "") -> str:
        """Return the page with the calls in which all words of ``searched`` stand."""
        words = searched.lower().split()
        found = [one for one in self._entries if all(word in one.searched for word in words)]
        is_open = bool(words) and len(found) <= OPEN_AT_MOST
        tags = {tag["name"]: tag["description"] for tag in self._document["tags"]}
        by_tag = {tag: [one for one in found if one.tag == tag] for tag in tags}
        shown = {tag: entries for tag, entries in by_tag.items() if entries}
        sections = [_section(tag, tags[tag], shown[tag], is_open) for tag in shown]
        return PAGE.format(
            prefix=self._prefix,
            title=escape(self._document["info"]["title"]),
            about="" if words else self._about,
            searched=escape(searched),
            found=f"{len(found)} of {len(self._entries)} calls",
            contents="".join(
                f'<li><a href="#{_slug(tag)}">{escape(tag)}</a></li>' for tag in shown
            ),
            sections="".join(sections),
            errors=self._errors,
            types=self._types,
        )

    def _entry(self, path: str, method: str, operation: Json) -> Entry:
        name = operation["operationId"]
        said = [method, path, name, *operation["tags"], operation["description"]]
        short = (
            f'<summary><h3><span class="method {method}">{method.upper()}</span> '
            f"<code>{escape(path)}</code></h3> <span>{line(operation['summary'])}</span></summary>"
        )
        long = "".join(self._details(path, method, operation))
        return Entry(
            tag=operation["tags"][0],
            searched=" ".join(said).lower(),
            short=short,
            long=f'<div id="{escape(name)}">{long}</div>',
        )

    def _details(self, path: str, method: str, operation: Json) -> Iterator[str]:
        parameters = [self._resolved(given) for given in operation["parameters"]]
        yield prose(operation["description"])
        yield f"<p>Operation id: <code>{escape(operation['operationId'])}</code></p>"
        if parameters:
            yield f"<h4>Parameters</h4><dl>{''.join(map(_parameter, parameters))}</dl>"
        if body := operation.get("requestBody"):
            yield f"<h4>Request body{'' if body['required'] else ', may be left out'}</h4>"
            yield _content(body["content"])
        yield "<h4>Answers</h4>"
        yield "".join(self._answer(*item) for item in operation["responses"].items())
        call = escape(curl(method, path, operation, parameters))
        yield f'<h4>With curl</h4><pre class="call">{call}</pre>'

    def _resolved(self, given: Json) -> Json:
        if "$ref" not in given:
            return given
        name = given["$ref"].rpartition("/")[2]
        found: Json = self._document["components"]["parameters"][name]
        return found

    def _answer(self, status: str, response: Json) -> str:
        if "$ref" in response:
            name = escape(response["$ref"].rpartition("/")[2])
            return f'<p class="failure"><b>{status}</b> <a href="#failure-{name}">{name}</a></p>'
        headers = "".join(
            f"<dt><code>{escape(name)}</code> header</dt><dd>{line(header['description'])}</dd>"
            for name, header in response.get("headers", {}).items()
        )
        listed = f"<dl>{headers}</dl>" if headers else ""
        note = f"<p><b>{status}</b> {line(response['description'])}</p>"
        return note + listed + _content(response.get("content", {}))


def _link(tag: str) -> str:
    return f'<li><a href="#{_slug(tag)}">{escape(tag)}</a></li>'


def _slug(tag: str) -> str:
    return f"tag-{escape(tag.replace(' ', '-'))}"


def _section(tag: str, description: str, entries: list[Entry], is_open: bool) -> str:
    opened = " open" if is_open else ""
    calls = "".join(f"<details{opened}>{one.short}{one.long}</details>" for one in entries)
    return (
        f'<section id="{_slug(tag)}"><h2>{escape(tag.capitalize())}</h2>'
        f"<p>{line(description)}</p>{calls}</section>"
    )


def _parameter(given: Json) -> str:
    must = "" if given.get("required") else ", may be absent"
    return (
        f"<dt><code>{escape(given['name'])}</code> {given['in']}, {type_of(given['schema'])}{must}"
        f"</dt><dd>{line(given.get('description', ''))}</dd>"
    )


def _content(content: Json) -> str:
    return "".join(
        f"<p><code>{escape(media_type)}</code>: {type_of(shown['schema'])}</p>"
        f"{example(shown['example']) if 'example' in shown else ''}"
        for media_type, shown in content.items()
    )


def _error(name: str, response: Json) -> str:
    title = f'<h3 id="failure-{escape(name)}">{escape(name)}</h3>'
    return title + prose(response["description"]) + _content(response["content"])


def _type(name: str, schema: Json) -> str:
    required = schema.get("required", [])
    members = "".join(
        f"<dt><code>{escape(member)}</code> {type_of(about)}"
        f"{'' if member in required else ', may be absent'}</dt>"
        f"<dd>{line(about.get('description', ''))}</dd>"
        for member, about in schema.get("properties", {}).items()
    )
    title = f'<h3 id="type-{escape(name)}">{escape(name)}</h3>'
    return f"{title}{prose(schema.get('description', ''))}<dl>{members}</dl>"
