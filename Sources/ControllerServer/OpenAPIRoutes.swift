import APISchema
import HTTPTypes
import Hummingbird
import NIOCore
import NetworkModel

/// `/openapi.json`: the API's own description, made once of the routes that the router has. Add it when all routes are there.
enum OpenAPIRoutes {
    static let path = "/openapi.json"

    /// Everything with a table. A test wants each of its paths to be served, and each path of a collection to be here.
    static let resources = ResourceDescription.all

    private static let documentedMethods: [HTTPRequest.Method] = [.get, .post, .put, .delete, .head]

    static func addRoutes(to router: APIRouter) {
        let routes = Self.routes(of: router)
        let document = OpenAPIDocument(resources: resources).document(routes: routes, title: "Neutrino Networking API", version: "2.0")
        let body = ByteBuffer(string: document.text)
        router.get(RouterPath(Self.path)) { _, _ in
            Response(status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: body))
        }
    }

    /// What clients may ask: the API and its discovery, not what agents and monitoring ask.
    static func routes(of router: APIRouter) -> [OpenAPIDocument.Route] {
        var routes: Set<OpenAPIDocument.Route> = [.init(method: "GET", path: Self.path)]
        for route in router.routes where documentedMethods.contains(route.method) {
            let path = Self.template("\(route.path)")
            guard path == "/" || path.hasPrefix("/v2.0") else { continue }
            routes.insert(OpenAPIDocument.Route(method: route.method.rawValue, path: path))
        }
        return routes.sorted { ($0.path, $0.method) < ($1.path, $1.method) }
    }

    /// `/v2.0/ports/:id` as `/v2.0/ports/{id}`.
    private static func template(_ path: String) -> String {
        "/" + path.split(separator: "/").map { $0.hasPrefix(":") ? "{\($0.dropFirst())}" : String($0) }.joined(separator: "/")
    }
}
