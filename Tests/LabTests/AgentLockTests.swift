import Glibc
import Lab
import Testing

/// Two agents of one host.
@Suite(.serialized, .enabled(if: isRoot, needsRoot))
struct AgentLockTests {
    @Test("A second agent refuses to start and names the first, and one that is started while the first ends takes its place")
    func second() async throws {
        try await withLab(hosts: 1) { lab in
            let host = try lab.host("h1")
            func said(_ words: String) async throws -> Int {
                Int(try await host.place.run(["grep", "-c", words, lab.logPath("h1")]).standardOutput.filter(\.isNumber)) ?? 0
            }
            try await waitUntil("the agent to start", timeoutMilliseconds: 20_000) { try await said("The agent starts") == 1 }
            let first = try #require(host.agentProcessID)
            let number = try await host.place.output(["pidof", "neutrino"]).filter(\.isNumber)
            try await host.startAgent()
            try await waitUntil("the second agent to refuse", timeoutMilliseconds: 30_000) {
                try await said("Another agent (process \(number)) works with the state directory \(host.stateDirectory)") == 1
            }
            try await waitUntil("its end", timeoutMilliseconds: 10_000) {
                try await host.place.output(["pidof", "neutrino"]).filter(\.isNumber) == number
            }
            #expect(try await said("The agent starts") == 1)

            // It is told to end, and has not yet.
            kill(first, SIGSTOP)
            kill(first, SIGTERM)
            try await host.startAgent()
            try await waitUntil("the next agent to wait", timeoutMilliseconds: 20_000) { try await said("waiting for its end") == 2 }
            kill(first, SIGCONT)
            try await waitUntil("the next agent to take its place", timeoutMilliseconds: 20_000) {
                try await said("The agent starts") == 2 && host.agentProcessID.map { $0 != first } ?? false
            }
            #expect(try await said("Another agent (process") == 1)
        }
    }
}
