"""What images run in and under which terms, and the rows with which UFDL servers begin.

Those rows are inserted here and nowhere else: a migration runs once, so what an administrator
changes or removes later stays so.
"""

import json
from typing import Any

from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from orm.migrate import Ddl, run_ddl, run_rows

ID = "2026-11-22T03:10:00"
VERSION = "1.38.0"
DESCRIPTION = "docker images, CUDA versions, frameworks, domains, licences, hardware generations"

TABLES = (
    """CREATE TABLE cuda_versions (
        pk {serial}, version VARCHAR(8) NOT NULL UNIQUE, full_version VARCHAR(16) NOT NULL UNIQUE,
        min_driver_version VARCHAR(16) NOT NULL)""",
    """CREATE TABLE frameworks (
        pk {serial}, name VARCHAR(32) NOT NULL, version VARCHAR(32) NOT NULL, UNIQUE (name, version))""",
    """CREATE TABLE domains (
        pk {serial}, name VARCHAR(2) NOT NULL UNIQUE, description VARCHAR(32) NOT NULL UNIQUE)""",
    """CREATE TABLE licences (
        pk {serial}, name VARCHAR(100) NOT NULL UNIQUE, url VARCHAR(200) NOT NULL,
        permissions TEXT NOT NULL, conditions TEXT NOT NULL, limitations TEXT NOT NULL,
        domains TEXT NOT NULL)""",
    """CREATE TABLE docker_images (
        pk {serial}, name VARCHAR(64) NOT NULL, version VARCHAR(32) NOT NULL, url VARCHAR(200) NOT NULL,
        registry_url VARCHAR(200) NOT NULL, registry_username VARCHAR(64), registry_password VARCHAR(64),
        cuda_version BIGINT NOT NULL REFERENCES cuda_versions (pk),
        framework BIGINT NOT NULL REFERENCES frameworks (pk),
        domain BIGINT NOT NULL REFERENCES domains (pk), tasks TEXT NOT NULL,
        min_hardware_generation BIGINT REFERENCES hardware (pk), cpu INTEGER NOT NULL,
        licence BIGINT NOT NULL REFERENCES licences (pk), UNIQUE (name, version))""",
)

# Facts of the UFDL backend's own migrations, in the order in which it numbers them.

HARDWARE = (
    ("Fermi", 2.0, 3.0),
    ("Kepler", 3.0, 5.0),
    ("Maxwell", 5.0, 6.0),
    ("Pascal", 6.0, 7.0),
    ("Volta", 7.0, 7.5),
    ("Turing", 7.5, 8.0),
    ("Ampere", 8.0, 8.9),
    ("Ada Lovelace", 8.9, 9.0),
    ("Hopper", 9.0, 10.0),
)

CUDA_VERSIONS = (
    ("12.1", "12.1.0", "530.30.02"),
    ("12.0", "12.0.0", "525.60.13"),
    ("11.8", "11.8.0", "520.61.05"),
    ("11.7", "11.7.0", "515.65.01"),
    ("11.6", "11.6.0", "510.47.03"),
    ("11.5", "11.5.0", "495.29.05"),
    ("11.4", "11.4.0", "470.57.02"),
    ("11.3", "11.3.0", "465.19.01"),
    ("11.2", "11.2.0", "460.27.03"),
    ("11.1", "11.1.0", "455.23.05"),
    ("11.0", "11.0.171", "450.36.06"),
    ("10.2", "10.2.89", "440.33"),
    ("10.1", "10.1.105", "418.39"),
    ("10.0", "10.0.130", "410.48"),
    ("9.2", "9.2.88", "396.26"),
    ("9.1", "9.1.85", "390.46"),
    ("9.0", "9.0.76", "384.81"),
    ("8.0", "8.0.61 GA2", "375.26"),
    ("7.5", "7.5.16", "352.31"),
    ("7.0", "7.0.28", "346.46"),
    ("0.0", "0.0", "0.0"),
)

FRAMEWORKS = (
    ("tensorflow", "1.14"),
    ("pytorch", "1.6"),
    ("mmclassification", "0.23.1"),
    ("mmclassification", "0.25.0"),
    ("dogs_dummy", "1"),
    ("mmsegmentation", "0.30.0"),
    ("yolact", "2020-02-11"),
    ("yolact", "2020-02-11_slim"),
    ("mmdetection", "2020-03-01"),
    ("mmdetection", "2020-03-01_cuda10"),
    ("mmdetection", "2020-10-11"),
    ("yolo", "v5"),
    ("yolo", "v7"),
    ("weka", "classifier"),
    ("coqui_stt", "1.3.0"),
    ("coqui_stt", "1.4.0"),
    ("coqui_stt", "1.15.2"),
)

DOMAINS = (
    ("ic", "Image Classification"),
    ("is", "Image Segmentation"),
    ("od", "Object Detection"),
    ("sc", "Spectrum Classification"),
    ("sp", "Speech"),
)

FREE = ("Commercial use", "Modification", "Distribution", "Private use")
PATENTED = ("Commercial use", "Modification", "Distribution", "Patent use", "Private use")
NOTICE = "License and copyright notice"
COPYLEFT = (NOTICE, "State changes", "Disclose source")
NO_WARRANTY = ("Liability", "Warranty")
NO_RIGHTS_BUT_COPYRIGHT = ("Liability", "Trademark use", "Patent use", "Warranty")
NO_MARK = ("Liability", "Trademark use", "Warranty")
SOFTWARE = ("Software", "Models")
DATA = ("Data", "Models")
OSI = "https://opensource.org/licenses"
CC = "creativecommons.org"

# Name, address, permissions, conditions, limitations, domains.
LICENCES = (
    (
        *("AGPL3", f"{OSI}/AGPL-3.0", PATENTED),
        *((*COPYLEFT, "Network use is distribution", "Same license"), NO_WARRANTY, SOFTWARE),
    ),
    ("Apache 2.0", f"{OSI}/Apache-2.0", PATENTED, (NOTICE, "State changes"), NO_MARK, SOFTWARE),
    ("BSD 2-clause", f"{OSI}/BSD-2-Clause", FREE, (NOTICE,), NO_WARRANTY, SOFTWARE),
    ("BSD 3-clause", f"{OSI}/BSD-3-Clause", FREE, (NOTICE,), NO_WARRANTY, SOFTWARE),
    (
        *("CC0", f"https://{CC}/share-your-work/public-domain/cc0/", FREE),
        *((), NO_RIGHTS_BUT_COPYRIGHT, DATA),
    ),
    (
        *("CC-BY-4.0", f"https://{CC}/licenses/by/4.0/", FREE),
        *((NOTICE, "State changes"), NO_RIGHTS_BUT_COPYRIGHT, DATA),
    ),
    (
        *("CC-BY-SA-4.0", f"http://{CC}/licenses/by-sa/4.0/", FREE),
        *((NOTICE, "State changes", "Same license"), NO_RIGHTS_BUT_COPYRIGHT, DATA),
    ),
    ("GPL2", f"{OSI}/GPL-2.0", FREE, (*COPYLEFT, "Same license"), NO_WARRANTY, SOFTWARE),
    ("GPL3", f"{OSI}/GPL-3.0", PATENTED, (*COPYLEFT, "Same license"), NO_WARRANTY, SOFTWARE),
    (
        *("LGPL3", f"{OSI}/LGPL-3.0", PATENTED),
        *((*COPYLEFT, "Same license (library)"), NO_WARRANTY, SOFTWARE),
    ),
    ("MIT", f"{OSI}/MIT", FREE, (NOTICE,), NO_WARRANTY, SOFTWARE),
    (
        *("Mozilla Public License 2.0", f"{OSI}/MPL-2.0", PATENTED),
        *((NOTICE, "Disclose source", "Same license (file)"), NO_MARK, SOFTWARE),
    ),
    ("The Unlicense", "https://unlicense.org/", FREE, (), NO_WARRANTY, SOFTWARE),
    (
        *("Proprietary", "https://en.wikipedia.org/wiki/All_rights_reserved"),
        *((), (NOTICE,), (), SOFTWARE),
    ),
)

REGISTRY = "public.aml-repo.cms.waikato.ac.nz:443"
PUBLIC = "public"
BOTH = ("Train", "Predict")

# Name, version, place in the registry, CUDA version, framework and its version, domain, tasks, the least
# hardware generation (none where a processor will do), licence.
IMAGES = (
    ("mmclassification", "0.23.1", "waikatodatamining/mmclassification:0.23.1_cuda11.1", "11.1", "mmclassification", "0.23.1", "ic", BOTH, "Pascal", "Apache 2.0"),
    ("mmclassification", "0.25.0", "waikatodatamining/mmclassification:0.25.0_cuda11.1", "11.1", "mmclassification", "0.25.0", "ic", BOTH, "Pascal", "Apache 2.0"),
    ("mmclassification_cpu", "0.23.1", "waikatodatamining/mmclassification:0.23.1_cpu", "0.0", "mmclassification", "0.23.1", "ic", ("Predict",), None, "Apache 2.0"),
    ("mmclassification_cpu", "0.25.0", "waikatodatamining/mmclassification:0.25.0_cpu", "0.0", "mmclassification", "0.25.0", "ic", ("Predict",), None, "Apache 2.0"),
    ("pytorch_imageclass", "1.6", "pytorch/image_classification:1.6", "10.2", "pytorch", "1.6", "ic", BOTH, "Pascal", "BSD 3-clause"),
    ("pytorch_imageclass_cpu", "1.6", "pytorch/image_classification:1.6_cpu", "10.2", "pytorch", "1.6", "ic", BOTH, None, "BSD 3-clause"),
    ("tf_imageclass", "1.14", "tensorflow/image_classification:1.14", "10.0", "tensorflow", "1.14", "ic", BOTH, "Pascal", "Apache 2.0"),
    ("tf_imageclass_cpu", "1.14", "tensorflow/image_classification:1.14_cpu", "0.0", "tensorflow", "1.14", "ic", BOTH, None, "Apache 2.0"),
    ("mmsegmentation", "0.30.0", "waikatodatamining/mmsegmentation:0.30.0_cuda11.1", "11.1", "mmsegmentation", "0.30.0", "is", BOTH, "Pascal", "Apache 2.0"),
    ("mmdetection", "2020-03-01", "open-mmlab/mmdetection:2020-03-01", "10.1", "mmdetection", "2020-03-01", "od", BOTH, "Turing", "Apache 2.0"),
    ("mmdetection", "2020-03-01_cuda10", "open-mmlab/mmdetection:2020-03-01_cuda10", "10.1", "mmdetection", "2020-03-01_cuda10", "od", BOTH, "Pascal", "Apache 2.0"),
    ("mmdetection", "2020-10-11", "open-mmlab/mmdetection:2020-10-11", "10.1", "mmdetection", "2020-10-11", "od", BOTH, "Pascal", "Apache 2.0"),
    ("tf_objdet", "1.14.0_2019-08-31", "tensorflow/object_detection:1.14.0_2019-08-31", "10.0", "tensorflow", "1.14", "od", ("Train", "Export", "Predict"), "Pascal", "Apache 2.0"),
    ("yolact", "2020-02-11", "yolact/yolactpp:2020-02-11", "10.0", "yolact", "2020-02-11", "od", BOTH, "Pascal", "MIT"),
    ("yolact", "2020-02-11_slim", "yolact/yolactpp_slim:2020-02-11", "10.0", "yolact", "2020-02-11_slim", "od", BOTH, "Turing", "MIT"),
    ("yolo", "v5_2022-05-31_cuda11.1", "waikatodatamining/pytorch-yolov5:2022-05-31_cuda11.1", "11.1", "yolo", "v5", "od", BOTH, "Pascal", "GPL3"),
    ("yolo", "v5_2022-11-05_cuda11.1", "waikatodatamining/pytorch-yolov5:2022-11-05_cuda11.1", "11.1", "yolo", "v5", "od", BOTH, "Pascal", "GPL3"),
    ("yolo", "v7_2022-10-08_cuda11.1", "waikatodatamining/pytorch-yolov7:2022-10-08_cuda11.1", "11.1", "yolo", "v7", "od", BOTH, "Pascal", "GPL3"),
    ("yolo_cpu", "v5_2022-01-21_cpu", "waikatodatamining/pytorch-yolov5:2022-01-21_cpu", "0.0", "yolo", "v5", "od", BOTH, None, "GPL3"),
    ("yolo_cpu", "v5_2022-11-05_cpu", "waikatodatamining/pytorch-yolov5:2022-11-05_cpu", "0.0", "yolo", "v5", "od", BOTH, None, "GPL3"),
    ("yolo_cpu", "v7_2022-10-08-05_cpu", "waikatodatamining/pytorch-yolov7:2022-10-08-05_cpu", "0.0", "yolo", "v7", "od", BOTH, None, "GPL3"),
    ("pww3_cpu", "0.2.12", "fracpete/pww3:0.2.12_cpu", "0.0", "weka", "classifier", "sc", BOTH, None, "GPL3"),
    ("coqui_stt", "1.15.2_0.10.0a10_cpu", "waikatodatamining/tf_coqui_stt:1.15.2_0.10.0a10_cpu", "0.0", "coqui_stt", "1.15.2", "sp", ("Predict",), None, "Mozilla Public License 2.0"),
    ("coqui_stt", "1.3.0_cuda11.0", "waikatodatamining/tf_coqui_stt:1.3.0_cuda11.0", "11.0", "coqui_stt", "1.3.0", "sp", ("Train",), "Pascal", "Mozilla Public License 2.0"),
    ("coqui_stt", "1.4.0_cuda11.6", "waikatodatamining/tf_coqui_stt:1.4.0_cuda11.6", "11.6", "coqui_stt", "1.4.0", "sp", ("Train",), "Pascal", "Mozilla Public License 2.0"),
)  # fmt: skip

# An administrator may have declared a generation of that name before.
ADD_HARDWARE = """INSERT INTO hardware (generation, min_compute_capability, max_compute_capability)
    VALUES (?, ?, ?) ON CONFLICT DO NOTHING"""
ADD_CUDA_VERSION = (
    "INSERT INTO cuda_versions (version, full_version, min_driver_version) VALUES (?, ?, ?)"
)
ADD_FRAMEWORK = "INSERT INTO frameworks (name, version) VALUES (?, ?)"
ADD_DOMAIN = "INSERT INTO domains (name, description) VALUES (?, ?)"
ADD_LICENCE = """INSERT INTO licences (name, url, permissions, conditions, limitations, domains)
    VALUES (?, ?, ?, ?, ?, ?)"""
ADD_IMAGE = """INSERT INTO docker_images (name, version, url, registry_url, registry_username,
    registry_password, cuda_version, framework, domain, tasks, min_hardware_generation, cpu, licence)
    VALUES (?, ?, ?, ?, ?, ?, (SELECT pk FROM cuda_versions WHERE version = ?),
    (SELECT pk FROM frameworks WHERE name = ? AND version = ?), (SELECT pk FROM domains WHERE name = ?),
    ?, (SELECT pk FROM hardware WHERE generation = ?), ?, (SELECT pk FROM licences WHERE name = ?))"""


async def seed() -> None:
    await run_rows(ADD_HARDWARE, HARDWARE)
    await run_rows(ADD_CUDA_VERSION, CUDA_VERSIONS)
    await run_rows(ADD_FRAMEWORK, FRAMEWORKS)
    await run_rows(ADD_DOMAIN, DOMAINS)
    await run_rows(ADD_LICENCE, [(*row[:2], *map(json.dumps, row[2:])) for row in LICENCES])
    await run_rows(ADD_IMAGE, map(image, IMAGES))


def image(facts: tuple[Any, ...]) -> tuple[Any, ...]:
    name, version, place, *references, tasks, generation, licence = facts
    registry = (f"{REGISTRY}/{place}", REGISTRY, PUBLIC, PUBLIC)
    needs_gpu = generation is not None
    return (
        name,
        version,
        *registry,
        *references,
        json.dumps(tasks),
        generation,
        int(not needs_gpu),
        licence,
    )


async def forwards() -> MigrationManager:
    manager = MigrationManager(migration_id=ID, app_name="hub", description=DESCRIPTION)

    async def run() -> None:
        await run_ddl(Ddl(both=TABLES))
        await seed()

    manager.add_raw(run)
    return manager
