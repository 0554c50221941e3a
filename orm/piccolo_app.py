"""How Piccolo's own commands find the tables and migrations of the hub."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

from orm.tables import ALL

APP_CONFIG = AppConfig(
    app_name="hub",
    migrations_folder_path=str(Path(__file__).parent / "piccolo_migrations"),
    table_classes=list(ALL),
    migration_dependencies=[],
    commands=[],
)
