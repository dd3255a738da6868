import HTTPTypes
import Hummingbird
import NIOCore
import Operations

/// `/metrics` in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/). Labels are words of fixed lists.
struct MetricsRoutes: Sendable {
    let operations: Operations
    let hub: FeedHub

    func addRoutes(to router: APIRouter) {
        router.get("/metrics") { _, _ in
            let text = Self.text(try await operations.metrics(), subscribers: await hub.subscriberCount)
            var headers = HTTPFields()
            headers[.contentType] = "text/plain; version=0.0.4; charset=utf-8"
            return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
        }
    }

    static func text(_ metrics: CloudMetrics, subscribers: Int) -> String {
        var lines: [String] = []
        func gauge(_ name: String, _ help: String, _ samples: [(labels: String, value: Int)]) {
            lines += ["# HELP neutrino_\(name) \(help)", "# TYPE neutrino_\(name) gauge"]
            lines += samples.map { "neutrino_\(name)\($0.labels) \($0.value)" }
        }
        gauge(
            "routers", "Routers by status.",
            metrics.routers.map { ("{status=\"\($0.key.status)\",ha=\"\($0.key.isHighlyAvailable)\"}", $0.value) }.sorted { $0.0 < $1.0 })
        gauge("routers_without_master", "Enabled HA routers that no living host is the master of.", [("", metrics.routersWithoutMaster)])
        gauge("router_master_conflicts", "HA routers that several living hosts claim to be the master of.", [("", metrics.masterConflicts)])
        gauge("router_failures", "Routers that a host cannot realise, once for each host.", [("", metrics.routerFailures)])
        gauge(
            "agents", "Agents by type, alive or not.",
            metrics.agents.map { ("{type=\"\($0.key.type)\",alive=\"\($0.key.isAlive)\"}", $0.value) }.sorted { $0.0 < $1.0 })
        gauge("feed_subscribers", "Agents that follow this server's feed.", [("", subscribers)])
        return lines.joined(separator: "\n") + "\n"
    }
}
