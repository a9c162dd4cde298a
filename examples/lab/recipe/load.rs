//! Reading a recipe: variables put in, other recipes included, faults found with their lines.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::{Spanned, Table, Value};

use super::RecipeError;
use super::form::{Capture, Include, Step};
use crate::stage::Nanos;
use crate::wire::tunnel::Tunnel;

/// Recipes inside recipes inside recipes: enough for a story, and an end for a circle.
const DEPTH: usize = 4;

/// A recipe file, variables not yet put in.
pub struct Recipe {
    path: PathBuf,
    text: String,
    form: Form,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    title: String,
    start: Option<String>,
    #[serde(default)]
    seed: u64,
    #[serde(default, rename = "let")]
    variables: Table,
    #[serde(default)]
    hosts: Table,
    #[serde(default)]
    capture: Vec<Spanned<Table>>,
    #[serde(default)]
    include: Vec<Spanned<Table>>,
    #[serde(default)]
    step: Vec<Spanned<Table>>,
}

/// A recipe ready to be played: the steps of one file with everything put in.
pub struct Scene {
    /// The recipe's file, for faults that show only in playing.
    pub path: PathBuf,
    /// What chance follows from.
    pub seed: u64,
    /// Its second 0, from the second 0 of the capture.
    pub offset: Nanos,
    /// Host names and their addresses.
    pub hosts: BTreeMap<String, IpAddr>,
    /// Tunnels around its packets, outermost first.
    pub tunnels: Vec<Tunnel>,
    /// Steps with the lines on which they begin.
    pub steps: Vec<(usize, Step)>,
}

impl Recipe {
    /// Reads a recipe's file.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = fs::read_to_string(path).map_err(|error| RecipeError::new(path, error))?;
        let form = toml::from_str(&text).map_err(|error| match error.span() {
            Some(span) => RecipeError::at(path, line(&text, span.start), error.message()),
            None => RecipeError::new(path, error.message()),
        })?;
        Ok(Self { path: path.to_owned(), text, form })
    }

    /// What the recipe is about.
    pub fn title(&self) -> &str {
        &self.form.title
    }

    /// The captures that the recipe asks for; a fragment for other recipes asks for none.
    pub fn captures(&self) -> Result<Vec<Capture>, RecipeError> {
        let mut captures = Vec::new();
        for table in &self.form.capture {
            let capture: Capture = self.table(table, &Table::new())?;
            if capture.file.is_empty() || capture.shows.is_empty() {
                return Err(RecipeError::at(
                    &self.path,
                    line(&self.text, table.span().start),
                    "a capture needs `file` and `shows`",
                ));
            }
            captures.push(capture);
        }
        Ok(captures)
    }

    /// Second 0 of the story.
    pub fn start(&self) -> Result<Nanos, RecipeError> {
        let text = self.form.start.as_deref().ok_or_else(|| self.fault("`start` is missing"))?;
        let moment: jiff::Timestamp =
            text.parse().map_err(|error| self.fault(format!("`start`: {error}")))?;
        Nanos::try_from(moment.as_nanosecond()).map_err(|_| self.fault("`start` is out of range"))
    }

    /// The scenes of one capture: this recipe's steps and those of the recipes that it includes.
    pub fn scenes(&self, capture: &Capture) -> Result<Vec<Scene>, RecipeError> {
        let mut scenes = Vec::new();
        let place = Include { set: capture.set.clone(), ..Include::default() };
        self.add_scenes(&place, 0, Vec::new(), DEPTH, &mut scenes)?;
        Ok(scenes)
    }

    fn add_scenes(
        &self,
        place: &Include,
        offset: Nanos,
        tunnels: Vec<Tunnel>,
        depth: usize,
        scenes: &mut Vec<Scene>,
    ) -> Result<(), RecipeError> {
        if depth == 0 {
            return Err(self.fault(format!("recipes include each other more than {DEPTH} deep")));
        }
        let variables = self.replace(&self.form.variables, &place.set, "let")?;
        let hosts = self.hosts(&place.hosts, &variables)?;
        let mut steps = Vec::new();
        for table in &self.form.step {
            steps.push((line(&self.text, table.span().start), self.table(table, &variables)?));
        }
        let scene = Scene {
            path: self.path.clone(),
            seed: place.seed.unwrap_or(self.form.seed),
            offset,
            hosts,
            tunnels: tunnels.clone(),
            steps,
        };
        scenes.push(scene);
        for table in &self.form.include {
            let include: Include = self.table(table, &variables)?;
            if include.when == Some(false) {
                continue;
            }
            let at_line =
                |reason: String| RecipeError::at(&self.path, line(&self.text, table.span().start), reason);
            let folder = self.path.parent().unwrap_or(Path::new(""));
            let recipe =
                Self::read(&folder.join(&include.recipe)).map_err(|error| at_line(error.to_string()))?;
            let mut inner = tunnels.clone();
            for tunnel in &include.tunnels {
                inner.push(tunnel.parse().map_err(at_line)?);
            }
            let offset = offset + include.at.map_or(0, |at| at.low);
            recipe.add_scenes(&include, offset, inner, depth - 1, scenes)?;
        }
        Ok(())
    }

    /// `own` with the values of `instead`; a name that `own` does not have is a slip.
    fn replace(&self, own: &Table, instead: &Table, what: &str) -> Result<Table, RecipeError> {
        let mut table = own.clone();
        for (name, value) in instead {
            if table.insert(name.clone(), value.clone()).is_none() {
                return Err(self.fault(format!("`{name}` is set from outside but stands not in [{what}]")));
            }
        }
        Ok(table)
    }

    fn hosts(&self, instead: &Table, variables: &Table) -> Result<BTreeMap<String, IpAddr>, RecipeError> {
        let mut hosts = BTreeMap::new();
        for (name, value) in &self.replace(&self.form.hosts, instead, "hosts")? {
            let value = put_in(value, variables).map_err(|reason| self.fault(reason))?;
            let address = value
                .as_str()
                .and_then(|text| text.parse().ok())
                .ok_or_else(|| self.fault(format!("[hosts] {name}: {value} is not an address in quotes")))?;
            hosts.insert(name.clone(), address);
        }
        Ok(hosts)
    }

    /// One table of the file with variables put in, read into its form.
    fn table<T: DeserializeOwned>(
        &self,
        table: &Spanned<Table>,
        variables: &Table,
    ) -> Result<T, RecipeError> {
        let at_line =
            |reason: String| RecipeError::at(&self.path, line(&self.text, table.span().start), reason);
        let value = put_in(&Value::Table(table.get_ref().clone()), variables).map_err(at_line)?;
        T::deserialize(value).map_err(|error| at_line(error.to_string().replace('\n', " ")))
    }

    fn fault(&self, reason: impl std::fmt::Display) -> RecipeError {
        RecipeError::new(&self.path, reason)
    }
}

/// The value with `$name` and `${name}` replaced everywhere in it.
fn put_in(value: &Value, variables: &Table) -> Result<Value, String> {
    let find = |name: &str| variables.get(name).ok_or_else(|| format!("`${name}` stands not in [let]"));
    Ok(match value {
        Value::String(text) => match text.strip_prefix('$') {
            Some(name) if !name.starts_with('{') => find(name)?.clone(),
            _ => {
                let mut out = String::new();
                let mut rest = text.as_str();
                while let Some((before, after)) = rest.split_once("${") {
                    let (name, after) =
                        after.split_once('}').ok_or_else(|| format!("`{text}`: `${{` without `}}`"))?;
                    out.push_str(before);
                    match find(name)? {
                        Value::String(text) => out.push_str(text),
                        other => out.push_str(&other.to_string()),
                    }
                    rest = after;
                }
                out.push_str(rest);
                Value::String(out)
            }
        },
        Value::Array(items) => {
            Value::Array(items.iter().map(|item| put_in(item, variables)).collect::<Result<_, _>>()?)
        }
        Value::Table(table) => Value::Table(
            table
                .iter()
                .map(|(key, item)| Ok((key.clone(), put_in(item, variables)?)))
                .collect::<Result<_, String>>()?,
        ),
        other => other.clone(),
    })
}

/// The line on which a byte of the text stands, from 1.
fn line(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play;

    /// What is said of a recipe with this in its only step.
    fn complaint(step: &str) -> String {
        let text = format!(
            "title = \"t\"\nstart = \"2026-01-01T00:00:00Z\"\n[let]\nx = 1\n[hosts]\na = \"10.0.0.1\"\n\
             [[capture]]\nfile = \"f.pcap\"\nshows = \"s\"\n\n[[step]]\n{step}\n"
        );
        said_of(&text)
    }

    /// "none" or the fault of a recipe, the folder left out.
    fn said_of(recipe: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("recipe.toml");
        fs::write(&path, recipe).expect("a file");
        let built = Recipe::read(&path).and_then(|recipe| play::build(&recipe, &recipe.captures()?[0]));
        match built {
            Ok(_) => "none".to_owned(),
            Err(error) => error.to_string().replace(&folder.path().display().to_string(), ""),
        }
    }

    #[test]
    fn the_recipe_of_the_readme_can_be_played() {
        let readme = include_str!("../README.md");
        let (_, rest) = readme.split_once("```toml\n").expect("a recipe");
        let (recipe, _) = rest.split_once("```").expect("its end");
        assert_eq!(said_of(recipe), "none");
    }

    #[test]
    fn a_fault_is_named_with_file_line_and_field() {
        let cases = [
            ("ntp = { from = \"a\", to = \"a\" }", "none"),
            (
                "ntp = { from = \"a\", to = \"b\" }",
                "/recipe.toml:11: `b` is neither in [hosts] nor an address",
            ),
            ("ntp = { from = \"a\" }", "/recipe.toml:11: missing field `to` in `ntp`"),
            ("at = \"$y\"\nntp = { from = \"a\", to = \"a\" }", "/recipe.toml:11: `$y` stands not in [let]"),
            (
                "ntp = { from = \"a\", to = \"::1\" }",
                "/recipe.toml:11: 10.0.0.1 and ::1 are not of one IP version",
            ),
            ("at = \"soon\"", "/recipe.toml:11: seconds are a number, or [least, most] in `at`"),
            ("tunnels = [\"vxlan\"]", "/recipe.toml:11: `vxlan` needs a number, `vxlan:1`"),
        ];
        for (step, wanted) in cases {
            assert_eq!(complaint(step), wanted, "{step}");
        }
        assert!(complaint("ntp = { from = a }").starts_with("/recipe.toml:12: "), "syntax has its own line");
        assert!(complaint("at = 1").contains("a step needs one of dns, http"));
    }

    #[test]
    fn variables_are_put_in_whole_and_in_part() {
        let variables: Table = "n = 2\nname = \"x\"".parse().expect("a table");
        let value: Table = "a = \"$n\"\nb = [\"v${n}.${name}\"]".parse().expect("a table");
        let value = put_in(&Value::Table(value), &variables).expect("known variables");
        assert_eq!(value.to_string().replace('\n', " ").trim(), "{ a = 2, b = [\"v2.x\"] }");
    }
}
