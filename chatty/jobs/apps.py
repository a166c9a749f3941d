from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "chatty.jobs"
    label = "jobs"
    verbose_name = _("background work")
