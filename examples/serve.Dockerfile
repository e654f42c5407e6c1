# An image whose process 1 is `stepdown serve`. Start it as root, which is the default: it gives up the rest itself.
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3-minimal libpython3-stdlib \
 && rm -rf /var/lib/apt/lists/* && useradd --system --user-group --no-create-home ecuser
COPY stepdown /usr/local/bin/stepdown
COPY serve.conf /etc/stepdown/default/stepdown.conf
COPY serve.py /srv/web/serve.py
EXPOSE 80
ENTRYPOINT ["/usr/local/bin/stepdown", "serve"]
