#en: The migration Job runs this: goose under a lock. `hanbae new service` writes the folder and keeps it fresh.
#ko: 마이그레이션 Job이 실행하는 프로그램으로, goose를 잠금 아래에서 실행합니다. 이 폴더는 `hanbae new service`가 쓰고 갱신합니다.
FROM golang:1.27 AS hanbae-migrate
WORKDIR /src
COPY <<sources>> .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /go/bin/hanbae-migrate .
