# One image for the server, the seed and the migrations. mysqlclient and the engine are compiled in the first stage.
FROM python:3.13-slim AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libmariadb-dev pkg-config \
    # where Python itself comes from Debian, its headers are a package of their own
    && headers=$(python3 -c 'import sysconfig; print(sysconfig.get_path("include"))') \
    && { test -e "$headers/Python.h" || apt-get install -y --no-install-recommends python3-dev; } \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY pyproject.toml LICENSE ./
# The dependencies alone first: they change seldom, and the layer is kept while they do not.
RUN python3 -m venv /opt/venv \
    && python3 -c 'import tomllib; p = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
extras = p["optional-dependencies"]; \
print("\n".join(p["dependencies"] + sum((extras[name] for name in ("fast", "web", "celery", "flower")), [])))' > requirements.txt \
    && /opt/venv/bin/pip install --no-cache-dir -r requirements.txt
# Then the engine, compiled. The README of the whole, which changes often, would be in the wheel's metadata alone.
COPY setup.py ./
COPY engine engine
RUN touch README.md && ENGINE_COMPILE=1 /opt/venv/bin/pip wheel --no-cache-dir --no-deps --wheel-dir /wheels . \
    && /opt/venv/bin/pip install --no-cache-dir --no-deps /wheels/*.whl

FROM python:3.13-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmariadb3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 1000 --create-home sms
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY app app
COPY migrations migrations
COPY seed seed
COPY examples examples
RUN mkdir -p var/logs && chown -R sms:sms var
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER sms
EXPOSE 9501
CMD ["python", "-m", "app", "serve"]
