import APISchema
import Hummingbird
import NetworkModel
import Operations

/// Flavors, their profiles and the providers behind them.
struct FlavorRoutes: Sendable {
    let operations: Operations

    func addRoutes(to router: APIRouter) {
        ResourceRoutes<Flavor>(operations: operations).addRoutes(to: router)
        ResourceRoutes<ServiceProfile>(operations: operations).addRoutes(to: router)
        router.post("/v2.0/flavors/:id/service_profiles") { request, context in
            guard let id = try await request.jsonObject()["service_profile"]?["id"]?.stringValue else {
                throw APIError.badRequest("Unable to find 'service_profile' in request body")
            }
            let flavor = try await operations.associate(id, withFlavor: context.id, caller: context.caller)
            let shown = try await operations.shownAttributes(of: [flavor], caller: context.caller)
            var writer = JSONWriter()
            writer.object { writer in
                // Neutron answers with the flavor under the profile's name.
                writer.key(ServiceProfile.table.singular)
                Flavor.table.write(flavor, shown[flavor.id], to: &writer)
            }
            return Response.json(writer, status: .created)
        }
        router.delete("/v2.0/flavors/:id/service_profiles/:profile") { _, context in
            try await operations.dissociate(context.parameters.get("profile") ?? "", fromFlavor: context.id, caller: context.caller)
            return Response.noContent
        }
        router.get("/v2.0/flavors/:id/next_providers") { request, context in
            let provider = try await operations.nextProvider(ofFlavor: context.id, caller: context.caller)
            return Self.answer(
                "next_providers", [[("provider", .string(provider.name)), ("driver", .string(provider.driver))]], request.fields)
        }
        router.get("/v2.0/service-providers") { request, context in
            var filters: [String: Set<String>] = [:]
            for (name, value) in request.queryParameters where ["name", "service_type"].contains(name) {
                filters[name, default: []].insert(value)
            }
            let found = try await operations.serviceProviders(caller: context.caller).filter { provider in
                (filters["name"]?.contains(provider.name) ?? true) && (filters["service_type"]?.contains(provider.serviceType) ?? true)
            }
            let rows: [[(String, JSONValue)]] = found.map { provider in
                [
                    ("service_type", .string(provider.serviceType)), ("name", .string(provider.name)),
                    ("default", .bool(provider.isDefault)),
                ]
            }
            return Self.answer("service_providers", rows, request.fields)
        }
    }

    private static func answer(_ name: String, _ rows: [[(String, JSONValue)]], _ fields: Set<String>) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(name)
            writer.array { writer in
                for row in rows {
                    writer.object { writer in
                        for (key, value) in row where fields.isEmpty || fields.contains(key) {
                            writer.key(key)
                            writer.value(value)
                        }
                    }
                }
            }
        }
        return .json(writer)
    }
}
