"""The people of the demo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Person:
    handle: str
    name: str
    time_zone: str

    @property
    def email(self) -> str:
        return f"{self.handle}@demo.example"


CAST = (
    Person("mara", "Mara Lindqvist", "Europe/Stockholm"),
    Person("tomas", "Tomás Rivera", "Europe/Madrid"),
    Person("yuki", "Yuki Tanaka", "Asia/Tokyo"),
    Person("priya", "Priya Nair", "Asia/Kolkata"),
    Person("sam", "Sam Okafor", "Europe/London"),
    Person("leila", "Leila Haddad", "Asia/Beirut"),
    Person("jonas", "Jonas Weber", "Europe/Berlin"),
    Person("noa", "Noa Levi", "Asia/Jerusalem"),
)
EMAILS = frozenset(person.email for person in CAST)
