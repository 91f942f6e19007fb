# An image of the two programs and nothing else: cpud as a server in a container, or cpu with the container as its terminal.
#
#	docker build -t cpu .
#	docker buildx build --platform linux/amd64,linux/arm64,linux/arm/v7 -t cpu .
#
# See the README for what to run. GO is the image to build in; any with the go command will do, also one without a network if its
# module cache is filled.

ARG GO=golang:1.26

# The build runs on the machine's own architecture, and makes programs for the one that is asked for. Builders that know nothing of
# platforms, and set none of these variables, build for their own.
FROM --platform=${BUILDPLATFORM:-linux} $GO AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS TARGETARCH TARGETVARIANT
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH GOARM=${TARGETVARIANT#v} go build -trimpath -ldflags '-s -w' -o /out/ ./cpu ./cpud

FROM scratch
COPY --from=build /out/ /usr/bin/
# The host key, made when there is none: it should outlive the container.
VOLUME /etc/cpud
EXPOSE 17010
ENTRYPOINT ["/usr/bin/cpud"]
