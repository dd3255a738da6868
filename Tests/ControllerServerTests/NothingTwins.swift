import APISchema
import NIOHTTP1
import NetworkModel
import Testing

/// Asks of nothing what was asked of another project's things: the answers must be the same, or they tell what is there.
struct NothingTwins {
    /// For each identity of the other's one of nothing.
    private let ids: [String: String]

    init(of identities: some Sequence<String>) {
        let known = Set(identities).filter { !$0.isEmpty }.sorted()
        ids = Dictionary(
            uniqueKeysWithValues: known.enumerated().map { number, id in (id, ResourceID(rawValue: UInt128(number + 1)).description) })
    }

    /// Holds the answer to a request against that to its twin, to the letter. A request that names none of the identities has no twin.
    func expectSame(
        _ answer: IdentityCloud.Answer, to method: HTTPMethod, _ path: String, _ body: JSONValue?, _ cloud: IdentityCloud
    ) async throws {
        let twinPath = replaced(path)
        let twinBody = try body.map { try JSONParser.parse(replaced($0.text)) }
        guard twinPath != path || twinBody != body else { return }
        let twin = try await cloud.network(method, twinPath, twinBody)
        let isSame = twin.status == answer.status && twin.text == replaced(answer.text)
        #expect(
            isSame && twin.headers.map(\.name) == answer.headers.map(\.name),
            "\(method) \(path) \(body?.text ?? "") tells what is there: \(answer), and of nothing: \(twin)")
    }

    private func replaced(_ text: String) -> String { ids.reduce(text) { $0.replacing($1.key, with: $1.value) } }
}
