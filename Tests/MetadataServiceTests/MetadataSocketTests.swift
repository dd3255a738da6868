import Foundation
import Glibc
import Metadata
import Synchronization
import TestSupport
import Testing

@testable import MetadataService

@Suite struct MetadataSocketTests {
    private static let missingGroup = "no-group-has-this-name"

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return stat(path, &status) == 0 ? status.st_mode & 0o777 : nil
    }

    @Test("Nobody else passes the directory of the socket before the socket has its rights")
    func rights() throws {
        let directory = try TemporaryFiles.makePath("proxy")
        let foreign = try MetadataSocket(directory: directory, name: "socket", group: Self.missingGroup)
        try foreign.prepare()
        #expect(mode(directory) == 0o700)
        try Data().write(to: URL(fileURLWithPath: foreign.path))
        #expect(throws: MetadataSocket.Failure.self) { try foreign.open() }
        #expect(mode(directory) == 0o700)
        let own = try MetadataSocket(directory: directory, name: "socket", group: nil)
        try own.open()
        #expect(mode(own.path) == 0o600)
        #expect(mode(directory) == 0o755)
        try own.prepare()
        #expect(mode(directory) == 0o700, "the next agent's socket is no more open than the first one's")
    }

    @Test("A service whose group is missing says so, is not ready, and goes on trying")
    func missingGroup() async throws {
        let lines = LogLines()
        let isReady = Atomic(false)
        let service = MetadataService(
            configuration: .init(socketDirectory: try TemporaryFiles.makePath("proxy"), socketName: "socket", group: Self.missingGroup),
            directory: InstanceDirectory(), logger: lines.logger, onReady: { isReady.store(true, ordering: .relaxed) })
        let task = Task { try await service.run() }
        let hasFailed = await poll {
            lines.all.contains { $0.contains("trying again") && $0.contains(Self.missingGroup) }
        }
        #expect(hasFailed, "\(lines.all)")
        let wasReady = isReady.load(ordering: .relaxed)
        #expect(!wasReady)
        task.cancel()
        try await task.value
    }

    @Test("Each thing that instances do not get is said once in a while, whatever else they do not get")
    func refusals() {
        let lines = LogLines()
        let log = RefusalLog(logger: lines.logger)
        for _ in 0..<3 {
            log.note("No instance has the address", [:])
            log.note("Nova does not answer", [:])
        }
        #expect(lines.all.count == 2)
    }
}
