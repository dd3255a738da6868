import APISchema
import Hummingbird
import Operations

/// `/availability_zones`: derived from the agents, so not a resource with a table.
struct AvailabilityZoneRoutes: Sendable {
    /// Query parameters that are no filters. All zones are one page.
    private static let controls: Set<String> = ["fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"]
    private static let names = ["name", "resource", "state"]

    let operations: Operations

    func addRoutes(to router: APIRouter) {
        router.get("/v2.0/availability_zones") { request, context in
            var filters: [String: Set<String>] = [:]
            for (name, value) in request.queryParameters where !Self.controls.contains(name) {
                guard Self.names.contains(name) else { throw APIError.badRequest("['\(name)'] is invalid attribute for filtering") }
                filters[name, default: []].insert(value)
            }
            let fields = request.fields
            var writer = JSONWriter()
            let zones = try await operations.availabilityZones(caller: context.caller)
            writer.object { writer in
                writer.key("availability_zones")
                writer.array { writer in
                    for zone in zones {
                        let members = zip(Self.names, [zone.name, zone.resource, zone.state])
                        guard members.allSatisfy({ filters[$0]?.contains($1) ?? true }) else { continue }
                        writer.object { writer in
                            for (name, value) in members where fields.isEmpty || fields.contains(name) {
                                writer.key(name)
                                writer.string(value)
                            }
                        }
                    }
                }
            }
            return Response.json(writer)
        }
    }
}
