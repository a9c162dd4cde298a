//! Recipes: the stories of captures, as `tests/cases/*/recipe.toml` tells them.

pub mod error;
pub mod form;
pub mod load;

pub use error::RecipeError;
pub use load::{Recipe, Scene};
