//! Everything that can be asked.

use std::{collections::HashMap, sync::Arc};

use async_graphql::{
    Context, Description, ID, InputObject, Object, Result, connection::Connection,
};
use entity::ids::{AuctionId, CategoryId, RegionId};
use unicode_normalization::UnicodeNormalization;

use super::{
    context::ContextExt,
    error::{Code, coded},
    loaders::{AuctionPlaces, UserNamed},
    page::{self, PageArgs},
    scalar::{self, Decimal},
    types::{
        auction::Auction,
        category::Category,
        enums::{AuctionOrder, AuctionScope, AuctionStatus},
        marketplace::Marketplace,
        node::Node,
        region::Region,
        user::User,
        viewer::Viewer,
    },
};
use crate::{
    domain::filter::Filter,
    engine::{Place, Sort},
};

/// All queries.
#[derive(Debug, Description)]
pub struct Query;

/// Conditions that an auction must meet to be listed. Fields that are left out or null do not
/// restrict the list.
#[derive(Debug, Default, InputObject)]
pub struct AuctionFilter {
    /// Words that must all occur in the title or the description, in any script.
    query: Option<String>,
    /// The auction's status is one of these.
    status: Option<Vec<AuctionStatus>>,
    /// The auction is in this region or inside it, or it is national.
    region: Option<ID>,
    /// The item is in this category or in one inside it.
    category: Option<ID>,
    /// The auction has this scope.
    scope: Option<AuctionScope>,
    /// The current price is at least this amount.
    min_price: Option<Decimal>,
    /// The current price is at most this amount.
    max_price: Option<Decimal>,
    /// The auction's seller is this user.
    seller: Option<ID>,
}

impl AuctionFilter {
    pub fn parse(self, ctx: &Context<'_>) -> Result<Filter> {
        let currency = &ctx.engine()?.rules().currency;
        let price = |price: Option<Decimal>, field| {
            let parsed = price.map(|price| price.amount(currency, field)).transpose();
            let wrong = |_| coded(Code::BadUserInput, format!("{}: not an amount", field[0]));
            Ok::<_, async_graphql::Error>(parsed.map_err(wrong)?.map(|money| money.minor()))
        };
        let words = self.query.unwrap_or_default();
        if words.chars().count() > 100 {
            return Err(coded(Code::BadUserInput, "query: at most 100 characters"));
        }
        let category: Option<CategoryId> =
            self.category.map(|id| scalar::id(&id, "category")).transpose()?;
        let places = ctx.engine()?.places();
        let categories = match category {
            None => Vec::new(),
            Some(id) if places.category(&id).is_none() => {
                return Err(coded(Code::BadUserInput, "category: there is no such category"));
            }
            Some(id) => places.categories_within(&id),
        };
        let region: Option<RegionId> =
            self.region.map(|id| scalar::id(&id, "region")).transpose()?;
        let is_code = |region: &RegionId| region.0.bytes().all(|byte| byte.is_ascii_digit());
        if !region.as_ref().is_none_or(is_code) {
            return Err(coded(Code::BadUserInput, "region: not a region's id"));
        }
        let mut status = Vec::new();
        for each in self.status.unwrap_or_default().into_iter().map(Into::into) {
            // Each once, however often it is said: it is a part of the statement.
            if !status.contains(&each) {
                status.push(each);
            }
        }
        Ok(Filter {
            words: words
                .replace('\0', " ")
                .nfc()
                .collect::<String>()
                .to_lowercase()
                .split_whitespace()
                .map(str::to_owned)
                .collect(),
            status,
            region,
            categories,
            scope: self.scope.map(Into::into),
            min_price: price(self.min_price, &["minPrice"])?,
            max_price: price(self.max_price, &["maxPrice"])?,
            seller: self.seller.map(|id| scalar::id(&id, "seller")).transpose()?,
        })
    }
}

#[Object(use_type_description)]
impl Query {
    /// An object by its global id. Null if there is none, or the viewer may not see it.
    async fn node(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The object's id.")] id: ID,
    ) -> Result<Option<Node>> {
        Node::load(ctx, &id).await
    }

    /// An auction by its id. Null if there is none.
    async fn auction(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The auction's id.")] id: ID,
    ) -> Result<Option<Auction>> {
        let id: AuctionId = scalar::id(&id, "id")?;
        Ok(ctx.load(id).await?.map(Auction::from))
    }

    /// Auctions that meet a filter, in a given order.
    #[allow(clippy::too_many_arguments)] // Relay's four, the filter and the order.
    async fn auctions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The conditions that they meet.")] filter: Option<AuctionFilter>,
        #[graphql(desc = "The order of the list.", default_with = "AuctionOrder::Newest")]
        order_by: AuctionOrder,
        #[graphql(desc = "How many from the start, 1 to 100; 20 by default.")] first: Option<i32>,
        #[graphql(desc = "Only what follows this cursor.")] after: Option<String>,
        #[graphql(desc = "How many from the end, 1 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what precedes this cursor.")] before: Option<String>,
    ) -> Result<Connection<String, Auction>> {
        let filter = filter.unwrap_or_default().parse(ctx)?;
        let page = PageArgs { first, after, last, before };
        auction_connection(ctx, filter, order_by.into(), page).await
    }

    /// A user by name, compared without regard to case. Null if there is none.
    async fn user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The username.")] username: String,
    ) -> Result<Option<User>> {
        let username: String = username.nfc().collect();
        let user = ctx.page(UserNamed(username)).await?;
        Ok(user.map(|user| User(Arc::new(user))))
    }

    /// The regions directly inside `parent`, or the outermost regions.
    async fn regions(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of a region.")] parent: Option<ID>,
    ) -> Result<Vec<Region>> {
        let parent: Option<RegionId> = parent.map(|id| scalar::id(&id, "parent")).transpose()?;
        let inside = ctx.engine()?.places().regions_in(parent.as_ref());
        Ok(inside.cloned().map(Region).collect())
    }

    /// All categories. Each category is directly followed by those inside it.
    async fn categories(&self, ctx: &Context<'_>) -> Result<Vec<Category>> {
        Ok(ctx.engine()?.places().categories().iter().cloned().map(Category).collect())
    }

    /// The signed-in user. Null if nobody is signed in.
    async fn viewer(&self, ctx: &Context<'_>) -> Option<Viewer> {
        ctx.session().cloned().map(Viewer)
    }

    /// The settings of the marketplace.
    async fn marketplace(&self) -> Marketplace {
        Marketplace
    }
}

/// A page of auctions: their places in the order first, then the rows by id.
pub async fn auction_connection(
    ctx: &Context<'_>,
    filter: Filter,
    sort: Sort,
    page: PageArgs,
) -> Result<Connection<String, Auction>> {
    let page = page.page::<Place>()?;
    let of_this_order = |place: &Place| place.key.fits(sort);
    if !page.after.iter().chain(&page.before).all(of_this_order) {
        return Err(coded(Code::BadUserInput, "The cursor is of a list in another order."));
    }
    let places = ctx.page(AuctionPlaces(filter, sort, page.clone())).await?;
    let ids: Vec<_> = places.iter().map(|place| place.id).collect();
    let mut views: HashMap<_, _> = ctx.load_many(ids).await?;
    let rows =
        places.into_iter().filter_map(|place| Some((views.remove(&place.id)?, place))).collect();
    Ok(page::connection(&page, rows, |(_, place)| place.clone(), |(view, _)| view.into()))
}
