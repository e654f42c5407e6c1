# An image built from scratch: the small launcher, its configuration and one static program, and nothing else.
# Start it as root, which is the default: it gives up the rest itself.
FROM scratch
COPY stepdown-run /bin/stepdown-run
COPY container.conf /etc/server.conf
COPY server /bin/server
EXPOSE 80
ENTRYPOINT ["/bin/stepdown-run", "-c", "/etc/server.conf", "--"]
CMD ["/bin/server"]
