using Sway.Numerics;

namespace Sway.Unit.Mlx;

/// <summary>Truncation against matrices that are built from known singular vectors.</summary>
public sealed class LeadingSingularTests
{
    [Theory]
    [InlineData(400, 360, 5)]
    [InlineData(350, 420, 1)]
    [InlineData(40, 60, 7)]
    [InlineData(60, 40, 7)]
    public void KeepsTheLargestTerms(int rows, int columns, int rank)
    {
        double[] values = [.. Enumerable.Range(0, 30).Select(i => 10 * Math.Pow(0.7, i))];
        (double[] matrix, double[] wanted) = Build(rows, columns, values, rank);

        ShouldBeClose(Product(LeadingSingular.Of(matrix, rows, columns, rank), rows, columns, rank), wanted, 10);
    }

    [Fact]
    public void FindsEqualSingularValuesAll()
    {
        (double[] matrix, double[] wanted) = Build(340, 330, [4, 4, 4, 4, 1, 1], 4);

        ShouldBeClose(Product(LeadingSingular.Of(matrix, 340, 330, 4), 340, 330, 4), wanted, 4);
    }

    [Theory]
    [InlineData(330, 340)]
    [InlineData(3, 5)]
    public void MoreRanksThanTheMatrixHasAreZero(int rows, int columns)
    {
        (double[] matrix, double[] wanted) = Build(rows, columns, [2, 1], 2);

        (double[] Left, double[] Right) factors = LeadingSingular.Of(matrix, rows, columns, 6);

        factors.Left.Length.ShouldBe(rows * 6);
        factors.Right.Length.ShouldBe(6 * columns);
        ShouldBeClose(Product(factors, rows, columns, 6), wanted, 2);
    }

    [Theory]
    [InlineData(4, 6)]
    [InlineData(330, 340)]
    public void NothingGivesNothing(int rows, int columns) =>
        Product(LeadingSingular.Of(new double[rows * columns], rows, columns, 3), rows, columns, 3).ShouldAllBe(value => Math.Abs(value) < 1e-300);

    private static (double[] Matrix, double[] Leading) Build(int rows, int columns, double[] values, int rank)
    {
        var random = new Random(11);
        double[][] u = Orthonormal(random, values.Length, rows), v = Orthonormal(random, values.Length, columns);
        double[] matrix = new double[rows * columns], leading = new double[rows * columns];
        for (int k = 0; k < values.Length; k++)
        {
            for (int i = 0; i < rows; i++)
            {
                for (int j = 0; j < columns; j++)
                {
                    double term = values[k] * u[k][i] * v[k][j];
                    matrix[(i * columns) + j] += term;
                    leading[(i * columns) + j] += k < rank ? term : 0;
                }
            }
        }

        return (matrix, leading);
    }

    private static double[][] Orthonormal(Random random, int count, int length) =>
        SmallSvd.Orthonormalize([.. Enumerable.Range(0, count).Select(_ => Enumerable.Range(0, length).Select(_ => random.NextDouble() - 0.5).ToArray())]).Basis;

    private static double[] Product((double[] Left, double[] Right) factors, int rows, int columns, int rank)
    {
        double[] product = new double[rows * columns];
        for (int i = 0; i < product.Length; i++)
        {
            for (int k = 0; k < rank; k++)
            {
                product[i] += factors.Left[((i / columns) * rank) + k] * factors.Right[(k * columns) + (i % columns)];
            }
        }

        return product;
    }

    private static void ShouldBeClose(double[] got, double[] wanted, double size) =>
        got.Zip(wanted, (x, y) => Math.Abs(x - y)).Max().ShouldBeLessThan(1e-9 * size);
}
