"""What the Python client can be asked for, by name: each is one call, read the way it reads it."""

from tests.compat.python_client import Data, Json, PythonClient

Spec = dict[str, Json]
"""The filter of a list."""

# --- Any resource ---------------------------------------------------------------------------------


def listed(client: PythonClient, table: str, spec: Spec | None = None) -> list[Json]:
    """List a table; without a filter nothing is sent."""
    return list(client.post(f"v1/{table}/list", spec).json())


def create(client: PythonClient, table: str, **said: Json) -> Json:
    return client.post(f"v1/{table}/create", said).json()


def retrieve(client: PythonClient, table: str, pk: int) -> Json:
    return client.get(f"v1/{table}/{pk}").json()


def update(client: PythonClient, table: str, pk: int, **said: Json) -> Json:
    return client.put(f"v1/{table}/{pk}", said).json()


def partial_update(client: PythonClient, table: str, pk: int, **said: Json) -> Json:
    return client.patch(f"v1/{table}/{pk}", said).json()


def destroy(client: PythonClient, table: str, pk: int) -> int:
    """Remove something; the answer's status is all that is looked at."""
    return client.delete(f"v1/{table}/{pk}").status


def hard_delete(client: PythonClient, table: str, pk: int) -> Json:
    return client.delete(f"v1/{table}/{pk}/hard").json()


def reinstate(client: PythonClient, table: str, pk: int) -> Json:
    return client.delete(f"v1/{table}/{pk}/reinstate").json()


# --- Nodes and hardware ---------------------------------------------------------------------------


def ping(client: PythonClient) -> None:
    client.get("v1/nodes/ping")


def hardware_generation(client: PythonClient, compute: float) -> Json:
    return client.get(f"v1/hardware/get-hardware-generation/{compute}").json()


# --- Types and templates --------------------------------------------------------------------------


def all_values(client: PythonClient, type_text: str) -> list[Json]:
    return list(client.get(f"v1/job-types/get-all-values/{type_text}").json())


def import_template(client: PythonClient, form: Json) -> Json:
    return client.post("v1/job-templates/import", form).json()


def export_template(client: PythonClient, pk: int) -> Json:
    return client.get(f"v1/job-templates/{pk}/export").json()


def matching_templates(client: PythonClient, contract: str, **types: str) -> list[Json]:
    url = f"v1/job-templates/get-all-matching-templates/{contract}"
    return list(client.get(url, **types).json())


def about_template(client: PythonClient, pk: int, what: str) -> Json:
    """Return what ``get-all-parameters``, ``get-types`` or ``get-outputs`` says of a template."""
    return client.get(f"v1/job-templates/{pk}/{what}").json()


def create_job(client: PythonClient, template: int, **said: Json) -> Json:
    return client.post(f"v1/job-templates/{template}/create-job", said).json()


# --- Jobs -----------------------------------------------------------------------------------------


def acquire(client: PythonClient, job: int) -> Json:
    return client.get(f"v1/jobs/{job}/acquire").json()


def release(client: PythonClient, job: int) -> Json:
    return client.delete(f"v1/jobs/{job}/release").json()


def start(client: PythonClient, job: int, send_notification: str) -> Json:
    return client.post(f"v1/jobs/{job}/start", {"send_notification": send_notification}).json()


def progress(client: PythonClient, job: int, amount: float, /, **remarks: Json) -> Json:
    """Report; the amount is written as Python writes it: 0.5, 1.0, 1, 1e-05."""
    return client.post(f"v1/jobs/{job}/progress/{amount}", remarks).json()


def finish(
    client: PythonClient, job: int, success: bool, send_notification: str, error: str | None = None
) -> Json:
    said: Json = {"success": success, "send_notification": send_notification}
    if error is not None:
        said["error"] = error
    return client.post(f"v1/jobs/{job}/finish", said).json()


def reset(client: PythonClient, job: int) -> Json:
    return client.delete(f"v1/jobs/{job}/reset").json()


def abort(client: PythonClient, job: int) -> Json:
    return client.delete(f"v1/jobs/{job}/abort").json()


def cancel(client: PythonClient, job: int) -> Json:
    return client.delete(f"v1/jobs/{job}/cancel").json()


# --- Outputs --------------------------------------------------------------------------------------


def add_output(client: PythonClient, job: int, name: str, type_text: str, data: Data) -> Json:
    return client.upload(f"v1/jobs/{job}/outputs/{name}/{type_text}", name, data).json()


def get_output(client: PythonClient, job: int, name: str, type_text: str) -> bytes:
    return client.download(f"v1/jobs/{job}/outputs/{name}/{type_text}")


def output_info(client: PythonClient, job: int, name: str, type_text: str) -> Json:
    return client.get(f"v1/jobs/{job}/outputs/{name}/{type_text}/info").json()


def delete_output(client: PythonClient, job: int, name: str, type_text: str) -> Json:
    return client.delete(f"v1/jobs/{job}/outputs/{name}/{type_text}").json()


def download_output(client: PythonClient, pk: int, **said: Json) -> bytes:
    """Return the bytes of an output by its number; the type library sends ``params: {}``."""
    return client.post(f"v1/job-outputs/{pk}/download", said or {"params": {}}).body
