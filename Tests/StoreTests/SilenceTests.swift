import Foundation
import Glibc
import KernelLinux
import TestSupport
import Testing

@testable import Store

@Suite("A PostgreSQL that falls silent", .timeLimit(.minutes(15))) struct SilenceTests {
    @Test("is lost when the kernel had no answer from it for the limit, or for as long as the URL says", arguments: [nil, 4_000])
    func userTimeout(_ own: Int?) async throws {
        var limits = StoreLimits()
        limits.silenceSeconds = 9
        let connection = try await connectByTCP(limits, own.map { "&tcp_user_timeout=\($0)" } ?? "")
        #expect(option(TCP_USER_TIMEOUT, of: connection) == own ?? 9_000)
        // Of one that is told nothing either.
        #expect(option(TCP_KEEPIDLE, of: connection) == 3)
        #expect(option(TCP_KEEPINTVL, of: connection) == 3)
    }

    private func option(_ name: Int32, of connection: PostgreSQLConnection) -> Int {
        var value: Int32 = -1
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(connection.socketDescriptor, Int32(IPPROTO_TCP), name, &value, &length)
        return Int(value)
    }

    /// The tests' server has a UNIX socket only: a program stands between.
    private func connectByTCP(_ limits: StoreLimits, _ more: String) async throws -> PostgreSQLConnection {
        let url = try PrivatePostgreSQL.shared.get().makeDatabase()
        let parts = try #require(URLComponents(string: url))
        let directory = try #require(parts.queryItems?.first { $0.name == "host" }?.value)
        let port = try freePort()
        Thread.detachNewThread {
            // It ends with its connection.
            _ = try? runProgram(
                ["socat", "TCP-LISTEN:\(port),bind=127.0.0.1", "UNIX-CONNECT:\(directory)/.s.PGSQL.5432"], timeoutMilliseconds: 60_000)
        }
        var connection: PostgreSQLConnection?
        let isConnected = await poll {
            connection = try? PostgreSQLConnection(
                url: "postgresql://neutrino@127.0.0.1:\(port)\(parts.path)?\(more.dropFirst())", limits: limits)
            return connection != nil
        }
        #expect(isConnected)
        return try #require(connection)
    }

    private func freePort() throws -> UInt16 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && getsockname(descriptor, $0, &length) == 0
            }
        }
        try #require(isBound)
        return UInt16(bigEndian: address.sin_port)
    }
}
