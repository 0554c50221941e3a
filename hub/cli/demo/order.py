"""What the demo asks for: its template, the names and types of the outputs, its job."""

from typing import Any
from urllib.parse import quote

import msgspec

from hub.wire.jobs import JobIn
from hub.wire.templates import TemplateIn

NAME = "demo-count-python-files"
FOLDER = "folder"

TEMPLATE = TemplateIn(
    name=NAME,
    description="Hash and count every .py file below a folder; made by `hub demo`.",
    inputs={FOLDER: {"type": "str", "help": "The folder, as the node sees it."}},
    outputs={
        "files": {"type": "BLOB<'csv'>", "help": "A row for each file."},
        "summary": {"type": "JSON", "help": "The sums."},
    },
)

OUTPUTS = {"files": "BLOB<'csv'>", "summary": "JSON"}
"""Name -> type of what a finished job has."""


def job_in(template: int, folder: str, description: str) -> JobIn:
    """Return the order of one job."""
    return JobIn(template=template, inputs={FOLDER: folder}, description=description)


def output_path(job: int, name: str) -> str:
    """Return the path of an output of a job."""
    return f"/v1/jobs/{job}/outputs/{name}/{quote(OUTPUTS[name], safe='')}"


class TemplateSeen(msgspec.Struct, frozen=True):
    """What the demo looks at in a template that is there already."""

    pk: int
    inputs: dict[str, Any]
    parameters: dict[str, Any]
    outputs: dict[str, Any]

    @property
    def fits(self) -> bool:
        """Whether the demo's job can be made from it."""
        types = {name: output.get("type") for name, output in self.outputs.items()}
        takes = {name: value.get("types") for name, value in self.inputs.items()}
        return takes == {FOLDER: ["str"]} and types == OUTPUTS and not self.parameters


class JobSeen(msgspec.Struct, frozen=True):
    """What the demo and its node look at in a job."""

    pk: int
    input_values: dict[str, dict[str, Any]]

    @property
    def folder(self) -> str:
        """The folder to work on."""
        return str(self.input_values[FOLDER]["value"])


def waiting_with(description: str) -> dict[str, Any]:
    """Return the filter for jobs that nobody has taken, and that are described like this."""
    return {
        "expressions": [
            {"type": "exact", "field": "template.name", "value": NAME},
            {"type": "exact", "field": "description", "value": description},
            {"type": "isnull", "field": "start_time"},
            {"type": "isnull", "field": "error_reason"},
            {"type": "isnull", "field": "node"},
        ]
    }


def versions() -> dict[str, Any]:
    """Return the filter for the versions of the demo's template, newest first."""
    return {
        "expressions": [{"type": "exact", "field": "name", "value": NAME}],
        "order_by": [{"field": "version", "ascending": False}],
    }
