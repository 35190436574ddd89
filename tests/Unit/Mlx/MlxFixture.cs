using System.Text.Json;
using Sway.Adapters;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Mlx;

/// <summary>Adapters that the real trainers wrote, with the deltas that they stand for.</summary>
internal static class MlxFixture
{
    public static string Folder(string part, string name) => Repository.Fixture("mlx", part, name);

    public static JsonElement Expected(string part, string name)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder(part, name), "expected.json")));
        return document.RootElement.Clone();
    }

    public static string Model(JsonElement expected) => Repository.Fixture(["mlx", .. expected.GetProperty("model").GetString()!.Split('/')]);

    public static string Copy(string part, string name, TemporaryFolder folder)
    {
        foreach (string file in Directory.GetFiles(Folder(part, name)).Where(file => !file.EndsWith("expected.json", StringComparison.Ordinal)))
        {
            File.Copy(file, folder.File(Path.GetFileName(file)));
        }

        return folder.Path;
    }

    /// <summary>scaling * B @ A, in the layout of the module's weight.</summary>
    public static double[] Delta(TensorExpression a, TensorExpression b, double scaling, bool transposed)
    {
        double[] left = b.ToDoubleArray();
        double[] right = a.ToDoubleArray();
        int rank = (int)a.Shape[0], columns = (int)a.Shape[1], rows = (int)b.Shape[0];
        double[] delta = new double[rows * columns];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                double sum = 0;
                for (int k = 0; k < rank; k++)
                {
                    sum += left[(i * rank) + k] * right[(k * columns) + j];
                }

                delta[transposed ? (j * rows) + i : (i * columns) + j] = scaling * sum;
            }
        }

        return delta;
    }

    public static double[] Delta(LoraModule module) => module.Kind == LoraModuleKind.Experts
        ? [.. Enumerable.Range(0, (int)module.A.Shape[0]).SelectMany(e => Delta(module.A.Index(0, e), module.B.Index(0, e), module.Scaling, false))]
        : Delta(module.A, module.B, module.Scaling, module.Kind == LoraModuleKind.Embedding);

    public static void AssertClose(double[] expected, double[] actual, string what)
    {
        Assert.Equal(expected.Length, actual.Length);
        double size = expected.Select(Math.Abs).Max();
        double difference = expected.Zip(actual, (x, y) => Math.Abs(x - y)).Max();
        Assert.True(difference <= 3e-6 * size, $"{what}: off by {difference} of {size}");
    }
}
