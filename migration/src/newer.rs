//! A schema that is ahead: another node, of the next release, was started first.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DatabaseConnection;

use crate::Migrator;

/// The newest step of a schema that has all of ours and later ones, which we do not know. They have only added to it, if they are of the next
/// release: then there is nothing to bring up to date, and nothing to stumble over.
pub async fn newer(database: &DatabaseConnection) -> Result<Option<String>, DbErr> {
    let applied = Migrator::get_migration_models(database).await?;
    let applied: Vec<_> = applied.into_iter().map(|step| step.version).collect();
    let ours: Vec<_> = Migrator::migrations().iter().map(|step| step.name().to_owned()).collect();
    Ok(ahead(&ours, &applied))
}

fn ahead(ours: &[String], applied: &[String]) -> Option<String> {
    let last = ours.iter().max()?;
    let has_all = ours.iter().all(|step| applied.contains(step));
    let mut others = applied.iter().filter(|step| !ours.contains(step));
    let newest = others.clone().max()?;
    (has_all && others.all(|step| step > last)).then(|| newest.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_ahead_that_has_all_of_ours_and_then_more() {
        let owned = |steps: &[&str]| steps.iter().map(|step| (*step).to_owned()).collect::<Vec<_>>();
        let ours = owned(&["m1_a", "m2_b"]);
        let table: [(&[&str], Option<&str>); 6] = [
            (&[], None),
            (&["m1_a", "m2_b"], None),
            (&["m1_a", "m2_b", "m3_c", "m4_d"], Some("m4_d")),
            // Neither a schema of ours nor one that has grown out of it.
            (&["m1_a", "m3_c"], None),
            (&["m1_a", "m1_x", "m2_b"], None),
            (&["m3_c"], None),
        ];
        for (applied, expected) in table {
            assert_eq!(ahead(&ours, &owned(applied)).as_deref(), expected, "{applied:?}");
        }
    }
}
