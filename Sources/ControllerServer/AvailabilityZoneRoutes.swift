import APISchema
import Hummingbird
import Operations

/// `/availability_zones`: derived from the agents, so not a resource with a table.
struct AvailabilityZoneRoutes: Sendable {
    let operations: Operations

    func addRoutes(to router: APIRouter) {
        router.get("/v2.0/availability_zones") { request, context in
            let page = try operations.page(.availabilityZones, called: "availability_zones", of: request)
            let zones = try await operations.availabilityZones(caller: context.caller)
            // Zones of routers and of networks may have one name.
            return page.answer(
                zones, name: { "\($0.resource)/\($0.name)" },
                text: { zone, attribute in zone.members.first { $0.name == attribute }?.text },
                write: { zone, fields, writer in
                    writer.object { writer in
                        for (name, text) in zone.members where fields.isEmpty || fields.contains(name) {
                            writer.key(name)
                            writer.string(text)
                        }
                    }
                })
        }
    }
}

extension AvailabilityZone {
    fileprivate var members: [(name: String, text: String)] { [("name", name), ("resource", resource), ("state", state)] }
}
