using System.Buffers.Binary;
using System.Text.Json;
using Sway.Scoring;

namespace Sway.Unit.Scoring;

/// <summary>A number that is not finite is no score: the error says where it came from and in which view.</summary>
public sealed class NotFiniteTests
{
    [Theory]
    [InlineData("model.layers.1.mlp.down_proj.weight", "layer 1")]
    [InlineData("model.layers.0.input_layernorm.weight", "layer 0")]
    [InlineData("model.norm.weight", "the output head")]
    [InlineData("lm_head.weight", "the output head")]
    public void It_is_an_error_that_names_the_place(string tensor, string place)
    {
        string folder = Directory.CreateTempSubdirectory().FullName;
        try
        {
            foreach (string file in Directory.GetFiles(Golden.Folder("llama-gqa")))
            {
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            }

            foreach (uint bits in (ReadOnlySpan<uint>)[0x7fc00000, 0x7f800000, 0xff800000])
            {
                Spoil(Path.Combine(folder, "model.safetensors"), tensor, bits);
                foreach (int rows in (ReadOnlySpan<int>)[1024, 10])
                {
                    using ScoringSession session = ScoringSession.Open(
                        folder, Path.Combine(Golden.Folder("llama-gqa"), "adapters", "all"), new ScoringOptions { Threads = 2 });
                    session.Exclusive((decoder, _) => decoder.RowsTogether = rows, CancellationToken.None);
                    TokenSequence[] items = [new([1, 5, 6, 7, 9, 11, 12], 1), new([2, 5, 6, 7, 9, 11, 12], 1)];
                    string message = Should.Throw<ScoringException>(() => session.Score(items).ToArray()).Message;
                    message.ShouldContain(place);
                    message.ShouldContain("not finite (view Base)");
                    Should.Throw<ScoringException>(() => NextToken.Predict(session, [1, 5, 6])).Message.ShouldBe(message);
                }
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Spoil(string path, string tensor, uint bits)
    {
        byte[] file = File.ReadAllBytes(path);
        int header = (int)BinaryPrimitives.ReadUInt64LittleEndian(file);
        using JsonDocument json = JsonDocument.Parse(file.AsMemory(8, header));
        JsonElement info = json.RootElement.GetProperty(tensor);
        info.GetProperty("dtype").GetString().ShouldBe("F32");
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(8 + header + info.GetProperty("data_offsets")[0].GetInt32()), bits);
        File.WriteAllBytes(path, file);
    }
}
