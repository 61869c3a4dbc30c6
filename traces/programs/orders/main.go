// orders takes orders as JSON documents, files them by customer and drops them
// again when they are shipped: encoding/json, maps, slices and strings.
package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"

	"programs/memrec"
)

type item struct {
	Article string            `json:"article"`
	Count   int               `json:"count"`
	Price   float64           `json:"price"`
	Options map[string]string `json:"options,omitempty"`
}

type order struct {
	Number   int     `json:"number"`
	Customer string  `json:"customer"`
	Items    []item  `json:"items"`
	Comment  *string `json:"comment,omitempty"`
	Drawing  []byte  `json:"drawing,omitempty"`
}

var colours = []string{"red", "green", "blue", "black", "white"}

const customers = 80

func customer(n int) string { return fmt.Sprintf("customer %d", n) }

func draw(rng *rand.Rand, number int) order {
	o := order{Number: number, Customer: customer(rng.IntN(customers))}
	for range 1 + rng.IntN(5) {
		it := item{Article: fmt.Sprintf("A-%05d", rng.IntN(4000)), Count: 1 + rng.IntN(9), Price: float64(rng.IntN(9999)) / 100}
		if rng.IntN(3) == 0 {
			it.Options = map[string]string{"colour": colours[rng.IntN(len(colours))], "size": fmt.Sprint(36 + rng.IntN(12))}
		}
		o.Items = append(o.Items, it)
	}
	if rng.IntN(4) == 0 {
		s := strings.Repeat("please hurry ", 1+rng.IntN(30))
		o.Comment = &s
	}
	if rng.IntN(6) == 0 {
		o.Drawing = make([]byte, 1+rng.IntN(8<<10))
	}
	return o
}

// ship drops about two thirds of the open orders of every customer.
func ship(rng *rand.Rand, open map[string][]*order) {
	for n := range customers {
		var left []*order
		for _, o := range open[customer(n)] {
			if rng.IntN(3) == 0 {
				left = append(left, o)
			}
		}
		open[customer(n)] = left
	}
}

func main() {
	memrec.Start()
	rng := rand.New(rand.NewPCG(1, 2))
	open := map[string][]*order{}
	var archive [200]any // decoded without a type: maps, slices and boxed values
	for round := range *memrec.Scale {
		for i := range 250 {
			document, err := json.Marshal(draw(rng, 1000*round+i))
			memrec.Check(err)
			o := new(order)
			memrec.Check(json.Unmarshal(document, o))
			open[o.Customer] = append(open[o.Customer], o)
			if i%5 == 0 {
				slot := &archive[rng.IntN(len(archive))]
				*slot = nil
				memrec.Check(json.Unmarshal(document, slot))
			}
		}
		ship(rng, open)
		memrec.GC()
	}
	left := 0
	for _, orders := range open {
		left += len(orders)
	}
	fmt.Fprintln(os.Stderr, "open orders:", left)
	memrec.Stop()
}
