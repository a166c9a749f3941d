"""Templates are loaded without what only people see who read the source."""

from __future__ import annotations

from django.template import Engine, Origin

from chatty.assets.template_loaders import Loader

SOURCE = """{% load i18n %}
<p>
  {# Why #}
  {% if a %}{% for each in b %}
    <b>{{ each }}</b> {% if c %}
      and
    {% endif %}
  {% endfor %}{% endif %}
  {% include "x.html" %}
  {% blocktranslate %}
    All
  {% endblocktranslate %}
</p>
"""
# The first line is kept: the file may be included within a line. So are tags that show something.
LOADED = """{% load i18n %}
<p>
{# Why #}{% if a %}{% for each in b %}<b>{{ each }}</b> {% if c %}
and
{% endif %}{% endfor %}{% endif %}{% include "x.html" %}
{% blocktranslate %}
All
{% endblocktranslate %}
</p>
"""


def test_lines_have_no_indentation_and_tags_alone_no_line(tmp_path):
    loader = Loader(Engine())
    for name, loaded in (("page.html", LOADED), ("mail.txt", SOURCE)):
        path = tmp_path / name
        path.write_text(SOURCE)
        assert loader.get_contents(Origin(str(path))) == loaded
