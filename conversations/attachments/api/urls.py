from django.urls import path

from conversations.attachments.api import views

urlpatterns = [
    path("uploads/", views.UploadsView.as_view(), name="uploads"),
    path("uploads/<str:upload>/", views.UploadView.as_view(), name="upload"),
]
