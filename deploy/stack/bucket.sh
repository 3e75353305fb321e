#!/bin/sh
# Make the bucket of compose.yaml, and the user who may only read it. Can be run again.
set -eu

mc mb --ignore-existing stack/data-registry
mc admin policy create stack data-registry-reader /stack/reader.json
mc admin user add stack "$S3_READER_ACCESS_KEY_ID" "$S3_READER_SECRET_ACCESS_KEY"
# To attach it a second time is an error.
case "$(mc admin user info stack "$S3_READER_ACCESS_KEY_ID")" in
    *data-registry-reader*) ;;
    *) mc admin policy attach stack data-registry-reader --user "$S3_READER_ACCESS_KEY_ID" ;;
esac
