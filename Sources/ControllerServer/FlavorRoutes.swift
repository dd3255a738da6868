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
            let page = try operations.page(.serviceProviders, called: "service_providers", of: request)
            let found = try await operations.serviceProviders(caller: context.caller)
            return page.answer(
                found, name: \.name, text: { $1 == "name" ? $0.name : $1 == "service_type" ? $0.serviceType : nil },
                write: { provider, fields, writer in
                    let row: [(String, JSONValue)] = [
                        ("service_type", .string(provider.serviceType)), ("name", .string(provider.name)),
                        ("default", .bool(provider.isDefault)),
                    ]
                    Self.write(row, fields, to: &writer)
                })
        }
    }

    private static func answer(_ name: String, _ rows: [[(String, JSONValue)]], _ fields: Set<String>) -> Response {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key(name)
            writer.array { writer in for row in rows { write(row, fields, to: &writer) } }
        }
        return .json(writer)
    }

    private static func write(_ row: [(String, JSONValue)], _ fields: Set<String>, to writer: inout JSONWriter) {
        writer.object { writer in
            for (key, value) in row where fields.isEmpty || fields.contains(key) {
                writer.key(key)
                writer.value(value)
            }
        }
    }
}
