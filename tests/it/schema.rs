//! The generated schema files in the root folder are up to date.

#[test]
fn schema_file_is_up_to_date() {
    let committed = std::fs::read_to_string("schema.graphql").unwrap();
    assert_eq!(committed.trim_end(), memberbase::graphql::sdl().trim_end(), "run `make schema`");
}

#[test]
fn openapi_file_is_up_to_date() {
    let committed = std::fs::read_to_string("openapi.json").unwrap();
    assert_eq!(committed.trim_end(), memberbase::http::openapi().trim_end(), "run `make schema`");
}
