import APISchema
import ControllerServer
import Foundation
import HostProjection
import Logging
import NetworkModel
import Operations
import ServiceLifecycle
import TestSupport

/// Runs a server on a free port and a new database while the body works with it, then stops it as SIGTERM would.
func withServer(
    _ backend: Backend = .sqlite, _ adjust: (inout ServerSettings) -> Void = { _ in }, authentication: AuthenticationMode = .none,
    agentSecretFile: String? = nil, _ body: @Sendable (APIClient) async throws -> Void
) async throws {
    var settings = ServerSettings()
    adjust(&settings)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let server = try await NetworkingServer(
        configuration: ServerConfiguration(
            port: 0, database: backend.makeLocation(), operations: settings, authentication: authentication,
            agentSecretFile: agentSecretFile), logger: .quiet,
        now: { Timestamp(secondsSince1970: Int(Date().timeIntervalSince1970)) },
        onReady: { port in
            continuation.yield(port)
            continuation.finish()
        })
    let services = ServiceGroup(configuration: .init(services: [.init(service: server)], logger: .quiet))
    try await withThrowingTaskGroup { group in
        group.addTask {
            try await services.run()
            continuation.finish()
        }
        guard let port = await ports.first(where: { _ in true }) else {
            try await group.waitForAll()
            return
        }
        let result = await Result(awaiting: { try await body(APIClient(port: port)) })
        await services.triggerGracefulShutdown()
        try await group.waitForAll()
        try result.get()
    }
}

extension Result where Failure == any Error {
    fileprivate init(awaiting body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}
