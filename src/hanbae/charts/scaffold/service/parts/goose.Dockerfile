#en: The migration Job runs this goose.
#ko: 마이그레이션 Job이 실행하는 goose입니다.
FROM golang:1.27 AS goose
RUN CGO_ENABLED=0 go install -trimpath -ldflags="-s -w" \
        -tags="no_clickhouse no_libsql no_mssql no_mysql no_sqlite3 no_vertica no_ydb" \
        github.com/pressly/goose/v3/cmd/goose@v3.27.3
