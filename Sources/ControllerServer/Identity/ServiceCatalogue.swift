import APISchema
import Hummingbird
import Identity
import IdentityService

/// The two services of this server and their endpoints, wherever the client reaches it: what tokens carry, and what clients list. They are the
/// server itself, so nobody adds any and nobody removes any.
struct ServiceCatalogue: Sendable {
    private struct Service: Sendable {
        let type: String
        let name: String
        /// Behind the server's own address.
        let path: String
    }

    private static let region = "RegionOne"
    private static let interfaces = ["public", "internal", "admin"]
    private static let services = [
        Service(type: "identity", name: "keystone", path: IdentityRoutes.versionPath), Service(type: "network", name: "neutron", path: ""),
    ]

    let api: IdentityRoutes

    func addRoutes(to router: APIRouter) {
        let version = IdentityRoutes.versionPath
        router.get("\(version)/auth/catalog") { request, _ in
            _ = try await api.caller(request)
            return Response.document(["catalog": entries(request), "links": api.links(request)])
        }
        addList("service", to: router, filters: ["name", "type"]) { services($0) }
        addList("endpoint", to: router, filters: ["interface", "service_id", "region_id"]) { endpoints($0) }
        // Anybody with a token may see regions, as in Keystone.
        addList("region", to: router, filters: ["parent_region_id"], isForAll: true) { _ in
            [["id": .string(Self.region), "description": "", "parent_region_id": nil]]
        }
    }

    /// A list and a show of what cannot be changed.
    private func addList(
        _ singular: String, to router: APIRouter, filters: [String], isForAll: Bool = false,
        _ items: @escaping @Sendable (Request) -> [[String: JSONValue]]
    ) {
        let plural = singular + "s"
        let path = "\(IdentityRoutes.versionPath)/\(plural)"
        @Sendable func shown(_ item: [String: JSONValue], _ request: Request) -> JSONValue {
            var members = item
            members["links"] = ["self": .string("\(api.url(request))/\(plural)/\(item["id"]?.stringValue ?? "")")]
            return .object(members)
        }
        router.get(RouterPath(path)) { request, _ in
            try IdentityPolicy.checkRead("list_\(plural)", try await api.caller(request), isOwn: isForAll)
            let found = items(request).filter { item in
                filters.allSatisfy { name in request.query(name).map { item[name]?.stringValue == $0 } ?? true }
            }
            return Response.document([plural: .array(found.map { shown($0, request) }), "links": api.links(request)])
        }
        router.get(RouterPath(path + "/:id")) { request, context in
            try IdentityPolicy.checkRead("get_\(singular)", try await api.caller(request), isOwn: isForAll)
            guard let item = items(request).first(where: { $0["id"]?.stringValue == context.id }) else {
                throw IdentityError.notFound(singular, context.id)
            }
            return Response.document([singular: shown(item, request)])
        }
    }

    // MARK: Bodies

    /// As tokens carry it: each service with its endpoints.
    func entries(_ request: Request) -> JSONValue {
        .array(
            Self.services.map { service in
                let endpoints = Self.interfaces.map { JSONValue.object(Self.endpoint(of: service, $0, url(of: service, request))) }
                return [
                    "id": .string(service.type), "type": .string(service.type), "name": .string(service.name),
                    "endpoints": .array(endpoints),
                ]
            })
    }

    private func services(_ request: Request) -> [[String: JSONValue]] {
        Self.services.map { service in
            [
                "id": .string(service.type), "type": .string(service.type), "name": .string(service.name), "enabled": true,
                "description": "",
            ]
        }
    }

    private func endpoints(_ request: Request) -> [[String: JSONValue]] {
        Self.services.flatMap { service in
            Self.interfaces.map { interface in
                var members = Self.endpoint(of: service, interface, url(of: service, request))
                members["service_id"] = .string(service.type)
                members["enabled"] = true
                return members
            }
        }
    }

    private static func endpoint(of service: Service, _ interface: String, _ url: String) -> [String: JSONValue] {
        [
            "id": .string("\(service.type)-\(interface)"), "interface": .string(interface), "region": .string(region),
            "region_id": .string(region), "url": .string(url),
        ]
    }

    private func url(of service: Service, _ request: Request) -> String { api.base(request) + service.path }
}
