//! The generated schema files in the root folder are up to date.

#[test]
fn the_schema_file_is_what_the_command_prints() {
    let kept = std::fs::read_to_string("schema.graphql").unwrap();
    assert_eq!(kept.trim_end(), memberbase::graphql::sdl().trim_end(), "run `make schema`");
}

#[test]
fn the_openapi_file_is_what_the_command_prints() {
    let kept = std::fs::read_to_string("openapi.json").unwrap();
    assert_eq!(kept.trim_end(), memberbase::rpc::openapi().trim_end(), "run `make schema`");
}
