FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE schema.sql ./
COPY relay ./relay
RUN python -m venv /opt/relay \
 && /opt/relay/bin/pip install --no-cache-dir .

FROM python:3.13-slim
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PATH=/opt/relay/bin:$PATH
COPY --from=build /opt/relay /opt/relay
USER 65532
EXPOSE 9464
ENTRYPOINT ["relay"]
CMD ["run"]
