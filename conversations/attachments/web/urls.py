from django.urls import path

from conversations.attachments.web import files_page, serving, storage_page

app_name = "attachments"

urlpatterns = [
    path("files/<str:file_id>/<str:name>", serving.file, name="file"),
    path("files/<str:file_id>/thumbnail/<str:size>.webp", serving.thumbnail, name="thumbnail"),
    path("settings/files/", storage_page.storage, name="storage"),
    path("c/<int:conversation_id>/files/", files_page.files, name="files"),
]
