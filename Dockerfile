# The lobby on nothing but the C library and the system's certificates, as nobody in particular: `docker build -t lobby .`
FROM rust:1-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    cargo build --profile dist --locked --bin lobby && cp target/dist/lobby /lobby
# What a volume has the owner of.
RUN mkdir /data

FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /lobby /usr/local/bin/lobby
COPY --from=build --chown=nonroot:nonroot /data /data
# SQLite's file and the secret key, where nothing else is set.
WORKDIR /data
VOLUME /data
ENV LOBBY_SERVER__HOST=0.0.0.0
EXPOSE 5000
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s CMD ["/usr/local/bin/lobby", "ready"]
ENTRYPOINT ["/usr/local/bin/lobby"]
