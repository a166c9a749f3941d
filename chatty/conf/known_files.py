"""The settings about files, as part of chatty/conf/known_settings.py."""

from __future__ import annotations

from chatty.conf.setting import Group, Setting

FILES_GROUP = Group(
    "Files",
    (
        Setting(
            name="FILE_MAX_MB",
            kind="whole number",
            description="The largest file that people can send.",
            default="100",
            unit="MB",
            least=1,
            most=100_000,
        ),
        Setting(
            name="FILES_PERSON_MB",
            kind="whole number",
            description="How much storage the files of one person can use. With `0`, any amount.",
            default="10000",
            unit="MB",
        ),
        Setting(
            name="FILES_TOTAL_MB",
            kind="whole number",
            description="How much storage all files can use. With `0`, any amount: then watch the free space "
            "of the disk.",
            default="0",
            unit="MB",
        ),
        Setting(
            name="FILES_URL",
            kind="secret",
            description="Where files are stored, if not in `DATA_DIR/files`: a bucket of a service that is "
            "compatible with S3. See [Files](deploy.md#files).",
            form="`s3://bucket/folder?endpoint_url=https://s3.example.org&region_name=eu-1`",
            default_note="`DATA_DIR/files`",
            example="s3://chatty?region_name=eu-central-1",
        ),
        Setting(
            name="FILES_ACCEL",
            kind="text",
            description="Let nginx send the files, from this internal location. Chatty then answers with "
            "`X-Accel-Redirect`. See [Files](deploy.md#files).",
            default_note="off",
            form="a path",
            example="/internal-files/",
        ),
    ),
    description="People can send files with their messages. The storage that they use is shown in their "
    "settings, and all of it in the admin site.",
)
