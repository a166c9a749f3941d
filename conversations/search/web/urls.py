from django.urls import path

from conversations.search.web import search_page

app_name = "search"

urlpatterns = [path("search/", search_page.search, name="search")]
