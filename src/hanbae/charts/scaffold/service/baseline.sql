#en|-- The first migration of <<database>>. It changes nothing, so that the first deployment has something to prove;
#en|-- replace it before that, or add 00002_….sql beside it. Files that were applied are never edited.
#ko|-- <<database>>의 첫 마이그레이션입니다. 첫 배포에서 증명할 것이 있도록 두었으며 아무것도 바꾸지 않습니다.
#ko|-- 첫 배포 전이라면 내용을 바꾸고, 그 뒤에는 00002_….sql을 추가하십시오. 적용된 파일은 고치지 않습니다.

-- +goose Up
SELECT 1;

-- +goose Down
SELECT 1;
