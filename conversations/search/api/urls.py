from django.urls import path

from conversations.search.api import views

urlpatterns = [path("search/", views.SearchView.as_view(), name="search")]
