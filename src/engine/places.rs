//! Regions and categories in memory: small trees that change only with a migration.

use std::collections::HashMap;

use entity::{
    category,
    ids::{CategoryId, RegionId},
    region,
};
use sea_orm::{ConnectionTrait, DbErr};

use crate::store::{categories, regions};

/// Both trees.
#[derive(Debug)]
pub struct Places {
    regions: Vec<region::Model>,
    region_places: HashMap<RegionId, usize>,
    region_children: HashMap<Option<RegionId>, Vec<usize>>,
    categories: Vec<category::Model>,
    category_places: HashMap<CategoryId, usize>,
}

impl Places {
    pub(super) async fn load(db: &impl ConnectionTrait) -> Result<Self, DbErr> {
        let regions = regions::all(db).await?;
        let categories = categories::all(db).await?;
        let mut region_children: HashMap<_, Vec<_>> = HashMap::new();
        for (place, region) in regions.iter().enumerate() {
            region_children.entry(region.parent_id.clone()).or_default().push(place);
        }
        Ok(Self {
            region_places: (0..).zip(&regions).map(|(n, r)| (r.id.clone(), n)).collect(),
            category_places: (0..).zip(&categories).map(|(n, c)| (c.id.clone(), n)).collect(),
            region_children,
            regions,
            categories,
        })
    }

    /// The region of an id.
    #[must_use]
    pub fn region(&self, id: &RegionId) -> Option<&region::Model> {
        self.regions.get(*self.region_places.get(id)?)
    }

    /// The regions right inside `parent`, or the outermost ones, in order of code.
    pub fn regions_in(&self, parent: Option<&RegionId>) -> impl Iterator<Item = &region::Model> {
        let places = self.region_children.get(&parent.cloned());
        places.into_iter().flatten().filter_map(|place| self.regions.get(*place))
    }

    /// The category of an id.
    #[must_use]
    pub fn category(&self, id: &CategoryId) -> Option<&category::Model> {
        self.categories.get(*self.category_places.get(id)?)
    }

    /// A category and those inside it.
    #[must_use]
    pub fn categories_within(&self, id: &CategoryId) -> Vec<CategoryId> {
        let within = |c: &&category::Model| c.id == *id || c.parent_id.as_ref() == Some(id);
        self.categories.iter().filter(within).map(|category| category.id.clone()).collect()
    }

    /// All categories, in their order: each right before those inside it.
    #[must_use]
    pub fn categories(&self) -> &[category::Model] {
        &self.categories
    }
}
