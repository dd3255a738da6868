import APISchema
import ControllerServer
import Foundation
import HostProjection
import Logging
import NetworkModel
import Operations
import ServiceLifecycle
import Store
import TestSupport

/// Runs a server on a free port and a new database while the body works with it, then stops it as SIGTERM would.
func withServer(
    _ backend: Backend = .sqlite, nova: NovaSettings? = nil, configure: (inout ServerConfiguration) -> Void = { _ in },
    _ adjust: (inout ServerSettings) -> Void = { _ in }, authentication: AuthenticationMode = .none, agentSecretFile: String? = nil,
    logger: Logger = .quiet, _ body: @Sendable (APIClient) async throws -> Void
) async throws {
    try await withServer(
        backend.makeLocation(), nova: nova,
        configure: { configuration in
            configuration.authentication = authentication
            configuration.agentSecretFile = agentSecretFile
            configure(&configuration)
        }, adjust, logger: logger, body)
}

/// The same on a database that may exist already.
func withServer(
    _ database: StoreLocation, nova: NovaSettings? = nil, configure: (inout ServerConfiguration) -> Void = { _ in },
    _ adjust: (inout ServerSettings) -> Void = { _ in }, logger: Logger = .quiet, _ body: @Sendable (APIClient) async throws -> Void
) async throws {
    var settings = ServerSettings()
    // Agents of tests report once: on a busy machine they would be dead before a long test ends.
    settings.agentDownSeconds = 3600
    adjust(&settings)
    var configuration = ServerConfiguration(port: 0, database: database, operations: settings, nova: nova)
    configure(&configuration)
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    let server = try await NetworkingServer(
        configuration: configuration, logger: logger,
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
