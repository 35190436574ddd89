using Sway.Architectures;
using Sway.Inference;
using Sway.Inference.Cpu;
using Sway.Tensors;
using Sway.Unit.Support;

namespace Sway.Unit.Scoring;

/// <summary>Large mapped matrices pass by in strips whose pages leave the memory: with the bits of the whole matrix.</summary>
public sealed unsafe class RowPagesTests
{
    private const int Outputs = 5000, Inputs = 320;

    [Theory]
    [InlineData(false, 1100, 1)]
    [InlineData(false, 1100, 2)]
    [InlineData(true, 1100, 2)]
    [InlineData(true, 7, 2)]
    public void A_product_in_strips_has_the_bits_of_the_whole_one(bool adapted, int rows, int threads)
    {
        using var model = new Model();
        using var engine = new CpuEngine(threads);
        EngineWeight mapped = engine.Matrix(model.Store, new LinearSpec("table", Outputs, Inputs));
        var whole = new CpuMatrix(((CpuMatrix)mapped).Panels);
        DeltaRange[] deltas = adapted ? [new DeltaRange(rows / 3, rows / 2, Delta(engine), 0.5)] : [];
        using CpuTensor x = engine.Allocate(rows, Inputs);
        var random = new Random(3);
        foreach (ref float value in x.Span)
        {
            value = random.NextSingle() - 0.5f;
        }

        using var inStrips = (CpuTensor)engine.Linear(x, mapped, null, deltas);
        using var atOnce = (CpuTensor)engine.Linear(x, whole, null, deltas);
        inStrips.Span.SequenceEqual(atOnce.Span).ShouldBeTrue();
        if (Resident.IsKnown && rows > 1000)
        {
            using var again = (CpuTensor)engine.Linear(x, mapped, null, deltas);
            Resident.Bytes(model.Start, (long)Outputs * Inputs * sizeof(float)).ShouldBeLessThan(1_000_000L);
        }
    }

    [Theory]
    [InlineData(3)]
    [InlineData(3000)]
    public void Rows_of_a_table_come_in_the_order_of_the_tokens(int count)
    {
        using var model = new Model();
        using var engine = new CpuEngine(2);
        EngineWeight mapped = engine.Matrix(model.Store, new LinearSpec("table", Outputs, Inputs));
        var random = new Random(4);
        int[] ids = [.. Enumerable.Range(0, count).Select(i => i == 1 ? Outputs - 1 : random.Next(Outputs))];
        using var rows = (CpuTensor)engine.Embed(mapped, ids);
        for (int i = 0; i < count; i++)
        {
            engine.Row(rows, i).SequenceEqual(model.Values.AsSpan(ids[i] * Inputs, Inputs)).ShouldBeTrue();
        }

        if (Resident.IsKnown && count > 1000)
        {
            Resident.Bytes(model.Start, (long)Outputs * Inputs * sizeof(float)).ShouldBeLessThan(1_000_000L);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Repeated_rows_are_the_same_where_there_is_room_behind_them_and_where_there_is_none(bool room)
    {
        using var engine = new CpuEngine(2);
        CpuTensor x = engine.Allocate(5, 7);
        using CpuTensor? behind = room ? null : engine.Allocate(1, 1);
        for (int i = 0; i < x.Span.Length; i++)
        {
            x.Span[i] = i;
        }

        float[] before = x.Span.ToArray();
        float* data = x.Data;
        using var three = (CpuTensor)engine.Repeat(x, 3);
        (three.Rows, three.Width).ShouldBe((15, 7));
        three.Span.ToArray().ShouldBe([.. before, .. before, .. before]);
        (three.Data == data).ShouldBe(room);

        // Its memory is its own: what x had is not lent a second time, nor given back with x.
        x.Dispose();
        using CpuTensor other = engine.Allocate(5, 7);
        other.Span.Fill(-1f);
        three.Span.ToArray().ShouldBe([.. before, .. before, .. before]);
    }

    private static LinearDelta Delta(CpuEngine engine)
    {
        var random = new Random(5);
        float[] Numbers(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
        return new LinearDelta
        {
            Terms =
            [
                new LowRankTerm { A = engine.Matrix(Numbers(4 * Inputs), 4, Inputs), B = engine.Matrix(Numbers(4 * Outputs), Outputs, 4), Scaling = 2.0 },
                new LowRankTerm { A = engine.Matrix(Numbers(3 * Inputs), 3, Inputs), B = engine.Matrix(Numbers(3 * 2000), 2000, 3), Scaling = 0.5, FirstOutput = 2048 },
            ],
        };
    }

    private sealed class Model : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public Model()
        {
            var random = new Random(6);
            Values = [.. Enumerable.Range(0, Outputs * Inputs).Select(_ => random.NextSingle() - 0.5f)];
            SafetensorsWriter.Write(_folder.File("model.safetensors"), [new PlannedTensor("table.weight", MemoryTensor.Of(Values, Outputs, Inputs))]);
            MappedWeights mapped = MappedWeights.OpenFolder(_folder.Path);
            Start = mapped.Tensors["table.weight"].Data;
            Store = new WeightStore(mapped, ModelConfig.Parse("""{"model_type":"llama"}"""), null);
        }

        public float[] Values { get; }

        public WeightStore Store { get; }

        public void* Start { get; }

        public void Dispose()
        {
            Store.Dispose();
            _folder.Dispose();
        }
    }
}
