# tests/test_docker.py runs these steps in a plain directory, but the image has not been built with Docker itself.
FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.txt .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir -r requirements.txt

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 PORT=8000 DATA_DIR=/data STATIC_ROOT=/app/staticfiles
RUN useradd --system --uid 10001 --home-dir /data chatty && install -d -m 700 -o chatty /data
COPY --from=build /venv /venv
WORKDIR /app
COPY manage.py ./
COPY accounts accounts
COPY chatty chatty
COPY conversations conversations
COPY locale locale
COPY proof proof
COPY static static
COPY templates templates
# Collected while building, so that the container can run read-only except for /data.
RUN DATA_DIR=/tmp/build python manage.py collectstatic --no-input --verbosity 0
USER chatty
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s CMD ["python", "-c", \
    "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
# setup only does what is missing. exec lets the server receive SIGTERM. The first administrator's password is
# written to a file in /data instead of the log: docker compose exec chatty cat /data/first_password
CMD ["sh", "-c", "umask 077 && python manage.py setup --password-file /data/first_password && exec python manage.py serve"]
