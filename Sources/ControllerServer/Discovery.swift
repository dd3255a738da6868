import APISchema
import Hummingbird
import Operations

/// What clients ask first: the versions at `/`, the resources at `/v2.0`.
enum Discovery {
    static func addRoutes(
        to router: APIRouter, _ operations: Operations, collections: [(singular: String, plural: String, path: String)]
    ) {
        router.get("/") { request, _ in
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("versions")
                writer.array { $0.object { version(&$0, operations.base(of: request)) } }
            }
            return Response.json(writer)
        }
        // Load balancers ask with it whether the server lives. Everywhere else HEAD is refused, as Neutron refuses it.
        router.head("/") { _, _ in Response(status: .ok, headers: [.contentType: "application/json"]) }
        router.get("/v2.0") { request, _ in
            let base = operations.base(of: request)
            var writer = JSONWriter(reservingCapacity: 2048)
            writer.object { writer in
                writer.key("resources")
                writer.array { writer in
                    for collection in collections {
                        writer.object { writer in
                            link(&writer, "self", "\(base)/v2.0/\(collection.path)")
                            writer.key("name")
                            writer.string(collection.singular)
                            writer.key("collection")
                            writer.string(collection.plural)
                        }
                    }
                }
            }
            return Response.json(writer)
        }
    }

    private static func version(_ writer: inout JSONWriter, _ base: String) {
        writer.key("id")
        writer.string("v2.0")
        writer.key("status")
        writer.string("CURRENT")
        link(&writer, "self", "\(base)/v2.0/")
    }

    private static func link(_ writer: inout JSONWriter, _ relation: String, _ address: String) {
        writer.key("links")
        writer.array {
            $0.object { writer in
                writer.key("rel")
                writer.string(relation)
                writer.key("href")
                writer.string(address)
            }
        }
    }
}
