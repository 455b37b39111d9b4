# Builds the wheel and its environment, then leaves the tools behind. No secret is needed to build, none is kept.
#   docker build -t asof .
#   docker run -p 8080:8080 -v "$PWD/model:/opt/ml/model" asof serve
FROM python:3.11-slim AS build
WORKDIR /build
COPY requirements/run.txt requirements/
RUN python -m venv /opt/asof \
    && /opt/asof/bin/pip install --no-cache-dir --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY examples/collisions examples/collisions
RUN /opt/asof/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
# LightGBM needs OpenMP.
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/asof /opt/asof
RUN useradd --uid 1000 --create-home asof && mkdir -p /opt/ml && chown asof /opt/ml
USER asof
WORKDIR /home/asof
ENV PATH=/opt/asof/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
EXPOSE 8080
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/ping', timeout=2)"]
ENTRYPOINT ["python", "-m", "asof.cli.container"]
CMD ["serve"]
