"""Examples of the calls about templates, and about the names that templates use."""

from msgspec.structs import replace

from hub.api.example import Example, where
from hub.wire.named_classes import NamedClassOut
from hub.wire.templates import DefaultOut, ParameterOut, Requirements, TemplateOut

PNG = "BLOB<'png'>"
PICTURE = NamedClassOut(pk=26, name="Picture", pkg="studio.types", cls="studio.types.Picture")
SHOOT = NamedClassOut(pk=4, name="Shoot", pkg="studio.work", cls="studio.work.Shoot")
THUMBNAIL = TemplateOut(
    pk=1,
    name="thumbnail",
    version=1,
    description="Make a picture small",
    scope="",
    domain=None,
    licence=None,
    creator=1,
    creation_time="2026-11-01T09:00:00.000000Z",
    deletion_time=None,
    type="",
    executor_class="studio.work.Thumbnail",
    required_packages="studio",
    parameters={
        "width": {
            "types": ["int"],
            "help": "in pixels",
            "default": 640,
            "default_type": "int",
            "const": False,
        }
    },
    inputs={"source": {"types": ["str"], "help": "address of the picture"}},
    outputs={"thumbnail": {"type": PNG, "help": ""}},
    timeout_s=600,
    silence_s=None,
    max_tries=3,
    priority=100,
    labels={"team": "studio"},
    requirements=Requirements(mem=512),
)
IMAGES = "Domain<'Image Classification'>"
TORCH = "Framework<'pytorch', '1.6'>"
EPOCHS = {
    "types": ["int"],
    "help": "rounds of training",
    "default": 10,
    "default_type": "int",
    "const": False,
}
DOGS_FORM = {
    "name": "train dogs",
    "version": 1,
    "description": "Tell breeds of dogs apart",
    "scope": "train",
    "licence": "Apache 2.0",
    "domain": "ic",
    "specific": {
        "job_type": f"Train<{IMAGES}, {TORCH}>",
        "executor_class": "kennel.work.TrainDogs",
        "required_packages": "kennel",
        "parameters": {"epochs": EPOCHS},
    },
}
DOGS = TemplateOut(
    pk=3,
    name="train dogs",
    version=1,
    description="Tell breeds of dogs apart",
    scope="train",
    domain="ic",
    licence=2,
    creator=1,
    creation_time="2026-11-01T09:30:00.000000Z",
    deletion_time=None,
    type=f"Train<{IMAGES}, {TORCH}>",
    executor_class="kennel.work.TrainDogs",
    required_packages="kennel",
    parameters={"epochs": EPOCHS},
    inputs={"dataset": {"types": [f"PK<Dataset<{IMAGES}>>"], "help": ""}},
    outputs={"model": {"type": f"Model<{IMAGES}, {TORCH}>", "help": ""}},
    timeout_s=None,
    silence_s=None,
    max_tries=3,
    priority=100,
    labels={},
    requirements=Requirements(),
)
NEW_CONTRACT = {"name": "Shoot", "pkg": "studio.work", "cls": "studio.work.Shoot"}
NEW_TYPE = {"name": "Picture", "pkg": "studio.types", "cls": "studio.types.Picture"}
TEMPLATE_BODY = {
    "description": "Make a picture small",
    "inputs": {"source": {"type": "str", "help": "address of the picture"}},
    "parameters": {"width": {"type": "int", "help": "in pixels", "default": 640}},
    "outputs": {"thumbnail": PNG},
    "timeout_s": 600,
    "labels": {"team": "studio"},
    "requirements": {"mem": 512},
    "executor_class": "studio.work.Thumbnail",
    "required_packages": "studio",
}
SECOND_THUMBNAIL = replace(THUMBNAIL, pk=2, version=2)

TEMPLATES: dict[str, Example] = {
    "job_types_list": Example(where("name", "Picture"), [PICTURE]),
    "job_types_create": Example(NEW_TYPE, PICTURE),
    "job_types_create_seed": Example(NEW_TYPE, PICTURE),
    "job_types_retrieve": Example(response=PICTURE),
    "job_types_update": Example(NEW_TYPE, PICTURE),
    "job_types_partial_update": Example({"pkg": "studio.types"}, PICTURE),
    "job_contracts_list": Example(where("name", "Shoot"), [SHOOT]),
    "job_contracts_create": Example(NEW_CONTRACT, SHOOT),
    "job_contracts_create_seed": Example(NEW_CONTRACT, SHOOT),
    "job_contracts_retrieve": Example(response=SHOOT),
    "job_contracts_update": Example(NEW_CONTRACT, SHOOT),
    "job_contracts_partial_update": Example({"pkg": "studio.work"}, SHOOT),
    "job_templates_list": Example(where("name", "thumbnail"), [THUMBNAIL]),
    "job_templates_declare": Example({"name": "thumbnail", **TEMPLATE_BODY}, THUMBNAIL),
    "job_templates_retrieve": Example(response=THUMBNAIL),
    "job_templates_update": Example(TEMPLATE_BODY, SECOND_THUMBNAIL),
    "job_templates_partial_update": Example({"timeout_s": 600}, SECOND_THUMBNAIL),
    "job_templates_reinstate": Example(response=THUMBNAIL),
    "job_templates_hard_delete": Example(response=THUMBNAIL),
    "job_templates_import": Example(DOGS_FORM, DOGS),
    "job_templates_export": Example(response=DOGS_FORM),
    "job_templates_matching": Example(response=[DOGS]),
    "job_templates_parameters": Example(
        response={
            "epochs": ParameterOut(
                types={"int": {"type": "integer"}},
                help="rounds of training",
                default=DefaultOut(value=10, type="int", schema={"type": "integer"}, const=False),
            )
        }
    ),
    "job_templates_types": Example(response={"DomainType": IMAGES, "FrameworkType": TORCH}),
    "job_templates_outputs": Example(response={"model": f"Model<{IMAGES}, {TORCH}>"}),
}
"""By action."""
